-- Deposits, withdrawals and claims as ledger entries, two each.
{{ config(materialized='view') }}

with

deposits as (
    select * from {{ ref('stg_chain__deposits') }}
),

withdrawals as (
    select * from {{ ref('stg_chain__withdrawals') }}
),

claims as (
    select * from {{ ref('stg_chain__claims') }}
),

movements as (
    select
        'deposit' as kind,
        block,
        'customer:' || account as ledger_account,
        units
    from deposits

    union all

    select
        'withdrawal' as kind,
        block,
        'customer:' || account as ledger_account,
        -units as units
    from withdrawals

    union all

    select
        'claim' as kind,
        block,
        'payee:' || payee as ledger_account,
        -units as units
    from claims
),

-- All that moved between one account and the contract in a block is one transaction.
summed as (
    select
        kind,
        block,
        ledger_account,
        kind || ':' || block || ':' || ledger_account as transaction_id,
        sum(units) as units
    from movements
    group by 1, 2, 3
),

final as (
    select
        transaction_id,
        kind,
        null::int8 as posting_id,
        null::int4 as epoch,
        block,
        ledger_account,
        units
    from summed

    union all

    select
        transaction_id,
        kind,
        null::int8 as posting_id,
        null::int4 as epoch,
        block,
        'contract' as ledger_account,
        -units as units
    from summed
)

select * from final
