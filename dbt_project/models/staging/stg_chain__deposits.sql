select
    account,
    block,
    units
from {{ source('chain', 'chain_deposits') }}
