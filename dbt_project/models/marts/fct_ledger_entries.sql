-- The ledger in double entry: every transaction sums to zero. An account's balance is what it is
-- owed; `contract` is the deposit side, so what it holds stands there as a negative balance.
with

reward_entries as (
    select * from {{ ref('int_reward_entries') }}
),

chain_entries as (
    select * from {{ ref('int_chain_entries') }}
),

entries as (
    select * from reward_entries

    union all

    select * from chain_entries
),

final as (
    select
        transaction_id,
        kind,
        posting_id,
        epoch,
        block,
        ledger_account,
        units::numeric(78, 0) as units
    from entries
    where units <> 0
)

select * from final
