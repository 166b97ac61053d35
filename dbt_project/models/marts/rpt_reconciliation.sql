-- The ledger against the chain, figure by figure; each difference should be zero.
with

entries as (
    select * from {{ ref('fct_ledger_entries') }}
),

posted_leaves as (
    select * from {{ ref('stg_settlement__posted_leaves') }}
),

postings as (
    select * from {{ ref('stg_settlement__postings') }}
),

accounts as (
    select * from {{ ref('stg_settlement__accounts') }}
),

roots as (
    select * from {{ ref('stg_chain__roots') }}
),

deposits as (
    select * from {{ ref('stg_chain__deposits') }}
),

withdrawals as (
    select * from {{ ref('stg_chain__withdrawals') }}
),

claims as (
    select * from {{ ref('stg_chain__claims') }}
),

active as (
    select *
    from postings
    where posting_id = (select max(posting_id) from posted_leaves)
),

leaves as (
    select
        posted_leaves.kind,
        posted_leaves.address,
        posted_leaves.cumulative_units
    from posted_leaves
    inner join active on posted_leaves.posting_id = active.posting_id
),

-- The newest root that became active.
active_root as (
    select *
    from roots
    where active_block is not null
    order by active_block desc, to_epoch desc
    limit 1
),

over_claimed as (
    select claims.payee
    from claims
    left join leaves on leaves.kind = 0 and claims.payee = leaves.address
    group by 1
    having sum(claims.units) > coalesce(max(leaves.cumulative_units), 0)
),

figures as (
    select
        'active_epoch' as figure,
        (select to_epoch from active)::numeric as ledger_units,
        (select to_epoch from active_root)::numeric as chain_units

    union all

    select
        'earned_total' as figure,
        (select sum(cumulative_units) from leaves where kind = 0) as ledger_units,
        (select earned_total_units from active_root) as chain_units

    union all

    select
        'charged_total' as figure,
        (select sum(cumulative_units) from leaves where kind = 1) as ledger_units,
        (select charged_total_units from active_root) as chain_units

    union all

    select
        'deposited_at_pinned_block' as figure,
        (
            select sum(accounts.deposited_units)
            from accounts
            inner join active on accounts.posting_id = active.posting_id
        ) as ledger_units,
        (
            select sum(deposits.units)
            from deposits
            inner join active on deposits.block <= active.pinned_block
        ) as chain_units

    union all

    select
        'withdrawn_at_pinned_block' as figure,
        (
            select sum(accounts.withdrawn_units)
            from accounts
            inner join active on accounts.posting_id = active.posting_id
        ) as ledger_units,
        (
            select sum(withdrawals.units)
            from withdrawals
            inner join active on withdrawals.block <= active.pinned_block
        ) as chain_units

    union all

    select
        'held_by_contract' as figure,
        -(select sum(units) from entries where ledger_account = 'contract') as ledger_units,
        (select coalesce(sum(units), 0) from deposits)
        - (select coalesce(sum(units), 0) from withdrawals)
        - (select coalesce(sum(units), 0) from claims) as chain_units

    union all

    select
        'payees_who_claimed_too_much' as figure,
        0 as ledger_units,
        (select count(*) from over_claimed) as chain_units
),

final as (
    select
        figure,
        coalesce(ledger_units, 0)::numeric(78, 0) as ledger_units,
        coalesce(chain_units, 0)::numeric(78, 0) as chain_units,
        (coalesce(ledger_units, 0) - coalesce(chain_units, 0))::numeric(78, 0)
            as difference_units
    from figures
)

select * from final
