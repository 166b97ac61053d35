select
    posting_id,
    kind,
    address,
    cumulative_units
from {{ source('settlement', 'posted_leaves') }}
