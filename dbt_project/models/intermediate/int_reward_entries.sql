-- What postings move in the ledger, by transaction and account. What epochs without a posting earn
-- is assumed, so it is not in the ledger.
{{ config(materialized='view') }}

with

epochs as (
    select * from {{ ref('int_built_epochs') }}
    where not is_provisional
),

lines as (
    select * from {{ ref('fct_reward_lines') }}
    where not is_provisional
),

account_charges as (
    select * from {{ ref('int_account_charges') }}
),

unfunded as (
    select * from {{ ref('int_unfunded_charges') }}
),

carried as (
    select * from {{ ref('stg_settlement__carried') }}
),

-- A charge made in this posting that is not paid: it waits, unless it leaves in its own epoch.
made_and_not_paid as (
    select
        unfunded.*,
        unfunded.state <> 'carried' and unfunded.epoch = unfunded.own_epoch as left_at_once
    from unfunded
    inner join epochs
        on
            unfunded.posting_id = epochs.posting_id
            and unfunded.own_epoch = epochs.epoch
),

carried_and_paid as (
    select
        carried.posting_id,
        epochs.epoch,
        carried.account,
        carried.charge_units as units
    from carried
    inner join epochs
        on
            carried.posting_id = epochs.posting_id
            and epochs.epoch = epochs.from_epoch
    where
        not exists (
            select from unfunded
            where
                unfunded.posting_id = carried.posting_id
                and unfunded.own_epoch = carried.own_epoch
                and unfunded.request_hash = carried.request_hash
        )
),

movements as (
    -- Rewards: paid by customers, and out of what was carried.
    select
        account_charges.posting_id,
        account_charges.epoch,
        'reward' as kind,
        'customer:' || account_charges.account as ledger_account,
        -account_charges.units as units
    from account_charges
    inner join epochs
        on
            account_charges.posting_id = epochs.posting_id
            and account_charges.epoch = epochs.epoch

    union all

    select
        posting_id,
        own_epoch as epoch,
        'reward' as kind,
        'customer:' || account as ledger_account,
        units
    from made_and_not_paid

    union all

    select
        posting_id,
        epoch,
        'reward' as kind,
        'carried' as ledger_account,
        -units as units
    from carried_and_paid

    union all

    select
        posting_id,
        epoch,
        'reward' as kind,
        case when payee like '0x%' then 'payee:' || payee else payee end as ledger_account,
        units
    from lines
    where role not in ('release', 'refund')

    union all

    -- What waits is owed by its customer all the same.
    select
        posting_id,
        own_epoch as epoch,
        'carry' as kind,
        'customer:' || account as ledger_account,
        -units as units
    from made_and_not_paid
    where not left_at_once

    union all

    select
        posting_id,
        own_epoch as epoch,
        'carry' as kind,
        'carried' as ledger_account,
        units
    from made_and_not_paid
    where not left_at_once

    union all

    select
        posting_id,
        epoch,
        state as kind,
        'carried' as ledger_account,
        -units as units
    from unfunded
    where
        state <> 'carried'
        and own_epoch < epoch

    union all

    select
        posting_id,
        epoch,
        state as kind,
        'customer:' || account as ledger_account,
        units
    from unfunded
    where
        state <> 'carried'
        and own_epoch < epoch

    union all

    select
        posting_id,
        epoch,
        role as kind,
        case role when 'release' then 'unclaimed' else 'insurance' end as ledger_account,
        -units as units
    from lines
    where role in ('release', 'refund')

    union all

    select
        posting_id,
        epoch,
        role as kind,
        'payee:' || payee as ledger_account,
        units
    from lines
    where role in ('release', 'refund')
),

final as (
    select
        kind || ':' || epoch as transaction_id,
        kind,
        posting_id,
        epoch,
        null::int8 as block,
        ledger_account,
        sum(units) as units
    from movements
    group by 1, 2, 3, 4, 5, 6
)

select * from final
