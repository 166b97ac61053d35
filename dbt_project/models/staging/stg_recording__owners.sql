select
    owner_id,
    label as owner
from {{ source('recording', 'owners') }}
