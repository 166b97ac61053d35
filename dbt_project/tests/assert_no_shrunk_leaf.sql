-- I5: active leaves are only added to. A payee whose leaf shrinks could never claim the difference.
select
    active.posting_id,
    active.kind,
    active.address,
    active.cumulative_units,
    leaves.cumulative_units as new_cumulative_units
from {{ ref('stg_settlement__active_leaves') }} as active
left join {{ ref('fct_leaves') }} as leaves
    on
        active.posting_id = leaves.posting_id
        and active.kind = leaves.kind
        and active.address = leaves.address
where
    active.posting_id in (select posting_id from {{ ref('int_postings') }})
    and (leaves.address is null or leaves.cumulative_units < active.cumulative_units)
