-- On the chain a payee can claim its leaf and no more. More would be an error of the contract, of
-- the indexer, or of the leaves that we believe to be active.
-- For analysts a warning: a claim can be indexed before its posting's leaves are stored.
{{ config(severity='error' if target.name == 'settlement' else 'warn') }}

select *
from {{ ref('fct_payee_balances') }}
where claimable_units < 0
