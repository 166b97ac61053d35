select
    posting_id,
    from_epoch,
    to_epoch,
    attempt,
    pinned_block,
    grace_blocks,
    previous_cut_block
from {{ source('settlement', 'postings_in') }}
