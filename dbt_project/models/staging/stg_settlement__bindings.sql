select
    posting_id,
    owner,
    payee
from {{ source('settlement', 'in_bindings') }}
