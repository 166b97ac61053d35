-- What each contributor, datanet, model, adapter, agent and node earned in each epoch. A document
-- may stand in several datanets, and its line is one: the data units of an epoch are divided over
-- datanets by largest remainder, so that they sum to the same total.
{{ config(
    materialized='incremental', incremental_strategy='replace', unique_key='epoch',
    on_schema_change='fail'
) }}

with

epochs as (
    select * from {{ ref('int_posting_epochs') }}
),

lines as (
    select lines.*
    from {{ ref('fct_reward_lines') }} as lines
    inner join epochs
        on
            lines.epoch = epochs.epoch
            and lines.posting_id = epochs.posting_id
),

shares as (
    select * from {{ ref('int_shares') }}
),

data_units as (
    select
        epoch,
        sum(units) as units
    from lines
    where role = 'data'
    group by 1
),

-- Weights beside what went to commons: of 10^13 parts, as everywhere.
datanet_weights as (
    select
        epoch,
        datanet,
        sum((units * 1000000000 - commons_weight) * data_bp) as weight
    from shares
    where datanet is not null
    group by 1, 2
),

datanet_parts as (
    select
        datanet_weights.epoch,
        datanet_weights.datanet,
        data_units.units as data_units,
        datanet_weights.weight * data_units.units as numerator,
        sum(datanet_weights.weight) over (partition by datanet_weights.epoch) as denominator
    from datanet_weights
    inner join data_units on datanet_weights.epoch = data_units.epoch
    where datanet_weights.weight > 0
),

datanet_divided as (
    select
        epoch,
        datanet,
        div(numerator, denominator) as whole_units,
        row_number() over (
            partition by epoch
            order by mod(numerator, denominator) desc, datanet collate "C"
        ) as place,
        data_units - sum(div(numerator, denominator)) over (partition by epoch) as left_units
    from datanet_parts
),

named as (
    select
        epoch,
        'datanet' as dimension,
        datanet as name,
        whole_units + case when place <= left_units then 1 else 0 end as units
    from datanet_divided

    union all

    select
        epoch,
        'contributor' as dimension,
        owner as name,
        units
    from lines
    where role = 'data'

    union all

    select
        epoch,
        role as dimension,
        asset as name,
        units
    from lines
    where role in ('model', 'adapter', 'agent', 'node')
),

final as (
    select
        epochs.posting_id,
        epochs.epoch,
        named.dimension,
        named.name,
        sum(named.units)::numeric(78, 0) as units,
        epochs.is_provisional
    from named
    inner join epochs on named.epoch = epochs.epoch
    group by 1, 2, 3, 4, 6
)

select * from final
