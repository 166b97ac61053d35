select
    payee,
    recipient,
    units,
    cumulative_units,
    block,
    transaction_hash
from {{ source('chain', 'chain_claims') }}
