-- I3, per epoch: funded charges are what the pool's lines sum to, and with what is released and
-- refunded all lines. A rounding that does not add up pays out what nobody paid in.
select *
from {{ ref('rpt_epoch_statement') }}
where
    epoch in (select epoch from {{ ref('int_posting_epochs') }})
    and (
        funded_units <> rewards_units
        or funded_units + released_units + refunded_units <> lines_units
    )
