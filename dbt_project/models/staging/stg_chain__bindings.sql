select
    label as owner,
    payee,
    block
from {{ source('chain', 'chain_bindings') }}
