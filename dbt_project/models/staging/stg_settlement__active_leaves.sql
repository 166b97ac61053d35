select
    posting_id,
    kind,
    address,
    cumulative_units
from {{ source('settlement', 'in_active_leaves') }}
