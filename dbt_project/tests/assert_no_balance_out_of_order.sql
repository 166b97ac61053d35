-- Each balance includes the next: what is posted was verified, what is verified was earned.
select *
from {{ ref('fct_payee_balances') }}
where
    optimistic_units < verified_units
    or verified_units < posted_units
    or posted_units <> claimable_units + claimed_units
