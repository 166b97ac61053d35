select
    posting_id,
    role,
    asset,
    owner
from {{ source('settlement', 'in_assets') }}
