select
    posting_id,
    epoch as own_epoch,
    request_hash,
    account,
    charge_units,
    split_hash,
    model,
    adapter,
    agent,
    node,
    datanet,
    commons
from {{ source('settlement', 'in_carried') }}
