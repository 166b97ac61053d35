-- Double entry: what one ledger account gains, others lose. A balance that appears from nowhere
-- would be claimed by somebody and be missing for everybody else.
select
    transaction_id,
    sum(units) as units
from {{ ref('fct_ledger_entries') }}
where
    epoch is null
    or epoch in (select epoch from {{ ref('int_posting_epochs') }})
group by 1
having sum(units) <> 0
