select
    root,
    from_epoch,
    to_epoch,
    attempt,
    earned_total_units,
    charged_total_units,
    settlement_hash,
    posted_block,
    active_block,
    dropped_block
from {{ source('chain', 'chain_roots') }}
