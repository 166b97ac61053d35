select
    epoch,
    topic,
    partition,
    answer_offset,
    outcome,
    account,
    request_hash,
    charge_units,
    split_hash,
    model,
    adapter,
    agent,
    node,
    datanet,
    commons
from {{ source('recording', 'answers') }}
