select
    role,
    asset,
    owner_id
from {{ source('recording', 'assets') }}
