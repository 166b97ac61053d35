-- An epoch that a posting covers and that was not built is an epoch whose payees are not paid.
select
    postings.posting_id,
    each_epoch.epoch
from {{ ref('int_postings') }} as postings
cross join lateral generate_series(postings.from_epoch, postings.to_epoch) as each_epoch (epoch)
left join {{ ref('int_posting_epochs') }} as built
    on
        postings.posting_id = built.posting_id
        and each_epoch.epoch = built.epoch
where
    not postings.is_provisional
    and built.epoch is null
