select
    epoch,
    topic,
    partition,
    answer_offset,
    document_id,
    weight,
    charge_units
from {{ source('recording', 'attributions') }}
