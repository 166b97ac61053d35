-- Every account with a deposit has a leaf, zero included: without one it could not withdraw.
select
    accounts.posting_id,
    accounts.account
from {{ ref('stg_settlement__accounts') }} as accounts
left join {{ ref('fct_leaves') }} as leaves
    on
        accounts.posting_id = leaves.posting_id
        and leaves.kind = 1
        and accounts.account = leaves.address
where
    accounts.posting_id in (select posting_id from {{ ref('int_postings') }})
    and leaves.address is null
