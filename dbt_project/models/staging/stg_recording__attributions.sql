select
    epoch,
    topic,
    partition,
    answer_offset,
    document_id,
    weight,
    charge_units,
    data_bp,
    data_share
from {{ source('recording', 'attributions') }}
