-- What is built for an active posting is what was posted, and stays so.
select
    posted.posting_id,
    posted.kind,
    posted.address,
    posted.cumulative_units,
    leaves.cumulative_units as built_cumulative_units
from {{ ref('stg_settlement__posted_leaves') }} as posted
left join {{ ref('fct_leaves') }} as leaves
    on
        posted.posting_id = leaves.posting_id
        and posted.kind = leaves.kind
        and posted.address = leaves.address
where
    posted.posting_id in (select posting_id from {{ ref('fct_leaves') }})
    and posted.posting_id in (select posting_id from {{ ref('int_postings') }})
    and posted.cumulative_units is distinct from leaves.cumulative_units
