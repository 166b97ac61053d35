-- An epoch's pool divided by largest remainder over its lines, to the unit; then what is released
-- to owners who were bound since, and what is refunded.
{{ config(
    materialized='incremental', incremental_strategy='replace', unique_key='epoch',
    on_schema_change='fail', pre_hook="{{ for_millions() }}"
) }}

with

epochs as (
    select * from {{ ref('int_posting_epochs') }}
),

weights as (
    select * from {{ ref('int_line_weights') }}
),

groups as (
    select * from {{ ref('int_answer_groups') }}
),

assets as (
    select * from {{ ref('int_assets') }}
),

bindings as (
    select * from {{ ref('int_bindings') }}
),

unclaimed as (
    select * from {{ ref('stg_settlement__unclaimed') }}
),

corrections as (
    select * from {{ ref('stg_settlement__corrections') }}
),

pools as (
    select
        epoch,
        sum(units) as pool_units
    from groups
    group by 1
),

payable as (
    select
        weights.posting_id,
        weights.epoch,
        weights.role,
        weights.asset,
        weights.weight,
        epochs.is_provisional,
        coalesce(assets.owner, '') as owner,
        case
            when weights.role = 'platform' then epochs.platform_account
            when weights.role = 'commons' then epochs.commons_account
            else coalesce(bindings.payee, epochs.unclaimed_account)
        end as payee,
        case
            when weights.role in ('platform', 'commons') then null
            when assets.owner is null then epochs.no_owner_reason
            when bindings.payee is null then epochs.unbound_reason
        end as reason
    from weights
    inner join epochs on weights.epoch = epochs.epoch
    left join assets
        on
            weights.posting_id = assets.posting_id
            and weights.role = assets.role
            and weights.asset = assets.asset
    left join bindings
        on
            weights.posting_id = bindings.posting_id
            and assets.owner = bindings.owner
),

divided as (
    select
        *,
        div(weight, 10000000000000) as whole_units,
        row_number() over (
            partition by epoch
            order by
                mod(weight, 10000000000000) desc,
                {{ tie_key('epoch', 'role', 'asset', 'payee') }}
        ) as place,
        sum(div(weight, 10000000000000)) over (partition by epoch) as whole_units_of_epoch
    from payable
),

paid as (
    select
        divided.posting_id,
        divided.epoch,
        divided.role,
        divided.asset,
        divided.owner,
        divided.payee,
        divided.whole_units + case
            when divided.place <= pools.pool_units - divided.whole_units_of_epoch then 1 else 0
        end as units,
        divided.reason,
        divided.is_provisional
    from divided
    inner join pools on divided.epoch = pools.epoch
),

released as (
    select
        unclaimed.posting_id,
        epochs.epoch,
        'release' as role,
        unclaimed.owner as asset,
        unclaimed.owner,
        bindings.payee,
        unclaimed.units,
        epochs.bound_reason as reason,
        epochs.is_provisional
    from unclaimed
    inner join epochs
        on
            unclaimed.posting_id = epochs.posting_id
            and epochs.epoch = epochs.from_epoch
    inner join bindings
        on
            unclaimed.posting_id = bindings.posting_id
            and unclaimed.owner = bindings.owner
    where unclaimed.owner <> ''
),

refunded as (
    select
        corrections.posting_id,
        epochs.epoch,
        'refund' as role,
        encode(corrections.request_hash, 'hex') as asset,
        '' as owner,
        corrections.account as payee,
        corrections.units,
        corrections.reason,
        epochs.is_provisional
    from corrections
    inner join epochs
        on
            corrections.posting_id = epochs.posting_id
            and corrections.epoch = epochs.epoch
    where corrections.kind = 'refund'
),

lines as (
    select * from paid

    union all

    select * from released

    union all

    select * from refunded
),

final as (
    select
        posting_id,
        epoch,
        role,
        asset,
        owner,
        payee,
        units::numeric(78, 0) as units,
        reason,
        is_provisional
    from lines
    where units <> 0
)

select * from final
