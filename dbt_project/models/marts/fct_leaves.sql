-- The leaves of each posting: active ones, only added to. Every account with a deposit has one.
{{ config(
    materialized='incremental', incremental_strategy='replace', unique_key='posting_id',
    on_schema_change='fail'
) }}

with

epochs as (
    select * from {{ ref('int_posting_epochs') }}
),

active_leaves as (
    select * from {{ ref('stg_settlement__active_leaves') }}
),

accounts as (
    select * from {{ ref('stg_settlement__accounts') }}
),

lines as (
    select * from {{ ref('fct_reward_lines') }}
),

account_charges as (
    select * from {{ ref('int_account_charges') }}
),

unfunded as (
    select * from {{ ref('int_unfunded_charges') }}
),

carried_in as (
    select * from {{ ref('int_carried_in') }}
),

postings as (
    select distinct posting_id from epochs
    where not is_provisional
),

earned as (
    select
        posting_id,
        0::int2 as kind,
        payee as address,
        units as cumulative_units
    from lines
    where payee ~ '^0x[0-9a-f]{40}$'
),

charged as (
    select
        posting_id,
        account,
        units
    from account_charges

    union all

    select
        posting_id,
        account,
        -units as units
    from unfunded
    where topic is not null

    union all

    select
        posting_id,
        account,
        charge_units as units
    from carried_in
),

parts as (
    select * from active_leaves

    union all

    select * from earned

    union all

    select
        posting_id,
        1::int2 as kind,
        account as address,
        0 as cumulative_units
    from accounts

    union all

    select
        charged.posting_id,
        1::int2 as kind,
        charged.account as address,
        charged.units as cumulative_units
    from charged
    inner join accounts
        on
            charged.posting_id = accounts.posting_id
            and charged.account = accounts.account
),

final as (
    select
        parts.posting_id,
        parts.kind,
        parts.address,
        sum(parts.cumulative_units)::numeric(78, 0) as cumulative_units
    from parts
    inner join postings on parts.posting_id = postings.posting_id
    group by 1, 2, 3
)

select * from final
