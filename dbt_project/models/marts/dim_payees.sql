-- Every address that an owner is bound to, that has a leaf, or that claimed.
with

assets as (
    select * from {{ ref('dim_assets') }}
),

on_chain as (
    select * from {{ ref('stg_chain__bindings') }}
),

lines as (
    select * from {{ ref('fct_reward_lines') }}
),

posted_leaves as (
    select * from {{ ref('stg_settlement__posted_leaves') }}
),

claims as (
    select * from {{ ref('stg_chain__claims') }}
),

named as (
    select
        payee,
        owner
    from assets

    union

    select
        payee,
        owner
    from on_chain

    union

    select
        payee,
        nullif(owner, '') as owner
    from lines

    union

    select
        address as payee,
        null as owner
    from posted_leaves
    where kind = 0

    union

    select
        payee,
        null as owner
    from claims
),

final as (
    select
        payee,
        count(owner) as owners,
        min(owner) as first_owner
    from named
    where payee ~ '^0x[0-9a-f]{40}$'
    group by 1
)

select * from final
