-- I3, per account: deposits - withdrawals - funded charges are never below zero, or the account
-- pays with somebody else's deposit.
select
    leaves.posting_id,
    leaves.address,
    leaves.cumulative_units,
    accounts.deposited_units - accounts.withdrawn_units as paid_in_units
from {{ ref('fct_leaves') }} as leaves
inner join {{ ref('stg_settlement__accounts') }} as accounts
    on
        leaves.posting_id = accounts.posting_id
        and leaves.address = accounts.account
where
    leaves.kind = 1
    and leaves.posting_id in (select posting_id from {{ ref('int_postings') }})
    and leaves.cumulative_units > accounts.deposited_units - accounts.withdrawn_units
