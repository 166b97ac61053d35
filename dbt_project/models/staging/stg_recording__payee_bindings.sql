select
    owner_id,
    payee
from {{ source('recording', 'payee_bindings') }}
