-- A refund of an epoch that the posting does not cover would be paid again by the one that does.
select corrections.*
from {{ ref('stg_settlement__corrections') }} as corrections
left join {{ ref('int_posting_epochs') }} as epochs
    on
        corrections.posting_id = epochs.posting_id
        and corrections.epoch = epochs.epoch
where
    corrections.posting_id in (select posting_id from {{ ref('int_postings') }})
    and epochs.epoch is null
