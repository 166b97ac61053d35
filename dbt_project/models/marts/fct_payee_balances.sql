-- The five balances of each payee, out of one ledger. Each includes the next: what answers earned,
-- what postings confirmed, what is active on the chain; this last is claimable or claimed.
with

payees as (
    select * from {{ ref('dim_payees') }}
),

lines as (
    select * from {{ ref('fct_reward_lines') }}
),

posted_leaves as (
    select * from {{ ref('stg_settlement__posted_leaves') }}
),

postings as (
    select * from {{ ref('stg_settlement__postings') }}
),

claims as (
    select * from {{ ref('stg_chain__claims') }}
),

active as (
    select
        posting_id,
        to_epoch
    from postings
    where posting_id = (select max(posting_id) from posted_leaves)
),

posted as (
    select
        posted_leaves.address as payee,
        posted_leaves.cumulative_units as units
    from posted_leaves
    inner join active on posted_leaves.posting_id = active.posting_id
    where posted_leaves.kind = 0
),

earned as (
    select
        payee,
        sum(units) filter (where not is_provisional) as confirmed_units,
        sum(units) as units
    from lines
    where epoch > coalesce((select to_epoch from active), 0)
    group by 1
),

claimed as (
    select
        payee,
        sum(units) as units
    from claims
    group by 1
),

final as (
    select
        payees.payee,
        (coalesce(posted.units, 0) + coalesce(earned.units, 0))::numeric(78, 0)
            as optimistic_units,
        (coalesce(posted.units, 0) + coalesce(earned.confirmed_units, 0))::numeric(78, 0)
            as verified_units,
        coalesce(posted.units, 0)::numeric(78, 0) as posted_units,
        (coalesce(posted.units, 0) - coalesce(claimed.units, 0))::numeric(78, 0)
            as claimable_units,
        coalesce(claimed.units, 0)::numeric(78, 0) as claimed_units
    from payees
    left join posted on payees.payee = posted.payee
    left join earned on payees.payee = earned.payee
    left join claimed on payees.payee = claimed.payee
)

select * from final
