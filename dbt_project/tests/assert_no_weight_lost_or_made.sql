-- The weights of an epoch's lines sum to 10^13 for each unit of its pool. They do not if an answer
-- has attributions that do not sum to 10^9, if a row carries another charge than its answer, or if
-- a split is missing: the root would then pay somebody for nothing.
with

weights as (
    select
        epoch,
        sum(weight) as weight
    from {{ ref('int_line_weights') }}
    group by 1
),

pools as (
    select
        epoch,
        sum(units) as units
    from {{ ref('int_answer_groups') }}
    group by 1
)

select
    pools.epoch,
    pools.units,
    weights.weight
from pools
full join weights on pools.epoch = weights.epoch
where coalesce(weights.weight, 0) <> coalesce(pools.units, 0) * 10000000000000
