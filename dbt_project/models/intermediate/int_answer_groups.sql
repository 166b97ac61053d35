-- Paid charges summed by all that decides how they divide over roles.
{{ config(pre_hook="{{ for_millions() }}") }}

with

epochs as (
    select * from {{ ref('int_posting_epochs') }}
),

answers as (
    select * from {{ ref('stg_recording__answers') }}
),

charges as (
    select * from {{ ref('int_contested_charges') }}
),

carried_in as (
    select * from {{ ref('int_carried_in') }}
),

recorded as (
    select
        answers.epoch,
        answers.split_hash,
        answers.model,
        answers.adapter,
        answers.agent,
        answers.node,
        answers.datanet,
        sum(answers.charge_units) as units,
        sum(answers.charge_units * coalesce(answers.commons, 1000000000)) as commons_weight
    from answers
    where
        answers.outcome = 'charged'
        and {{ of_this_run('answers.epoch') }}
    group by 1, 2, 3, 4, 5, 6, 7
),

-- What is not paid is taken off again: there is little of it, and most often none.
not_paid as (
    select
        own_epoch as epoch,
        split_hash,
        model,
        adapter,
        agent,
        node,
        datanet,
        -units as units,
        -units * coalesce(commons, 1000000000) as commons_weight
    from charges
    where
        not is_funded
        and topic is not null
),

carried as (
    select
        epoch,
        split_hash,
        model,
        adapter,
        agent,
        node,
        datanet,
        charge_units as units,
        charge_units * coalesce(commons, 1000000000) as commons_weight
    from carried_in
),

all_of_them as (
    select * from recorded

    union all

    select * from not_paid

    union all

    select * from carried
),

final as (
    select
        epochs.posting_id,
        all_of_them.epoch,
        all_of_them.split_hash,
        all_of_them.model,
        all_of_them.adapter,
        all_of_them.agent,
        all_of_them.node,
        all_of_them.datanet,
        sum(all_of_them.units) as units,
        sum(all_of_them.commons_weight) as commons_weight
    from all_of_them
    inner join epochs on all_of_them.epoch = epochs.epoch
    group by 1, 2, 3, 4, 5, 6, 7, 8
    having sum(all_of_them.units) > 0
)

select * from final
