-- Charge · basis points · attribution by document. The charge stands on every attribution row, so
-- the millions of them are summed without a join, as if each had its epoch's usual data share; the
-- answers of which that is not true are looked up, and what is too much or too little is mended.
{{ config(pre_hook="{{ for_millions() }}") }}

with

epochs as (
    select * from {{ ref('int_posting_epochs') }}
),

answers as not materialized (
    select * from {{ ref('stg_recording__answers') }}
),

attributions as not materialized (
    select * from {{ ref('stg_recording__attributions') }}
),

documents as (
    select * from {{ ref('stg_recording__documents') }}
),

splits as (
    select * from {{ ref('stg_settlement__splits') }}
),

shares as (
    select * from {{ ref('int_shares') }}
),

unfunded as (
    select * from {{ ref('int_unfunded_charges') }}
    where
        topic is not null
        and posting_id in (select posting_id from epochs)
),

carried_in as (
    select * from {{ ref('int_carried_in') }}
),

carried_weights as (
    select * from {{ ref('stg_settlement__carried_weights') }}
),

usual as (
    select distinct on (epoch)
        epoch,
        data_bp
    from (
        select
            epoch,
            data_bp,
            sum(units) as units
        from shares
        group by 1, 2
    ) as by_share
    order by epoch, units desc, data_bp
),

all_recorded as (
    select
        epoch,
        document_id,
        sum(weight * charge_units) as weight
    from attributions
    where {{ of_this_run('epoch') }}
    group by 1, 2
),

unusual_groups as (
    select distinct
        shares.epoch,
        shares.split_hash,
        shares.adapter is null as lacks_adapter,
        shares.agent is null as lacks_agent,
        shares.data_bp - usual.data_bp as difference_bp
    from shares
    inner join usual on shares.epoch = usual.epoch
    where shares.data_bp <> usual.data_bp
),

unusual as (
    select
        answers.epoch,
        answers.topic,
        answers.partition,
        answers.answer_offset,
        unusual_groups.difference_bp
    from answers
    inner join unusual_groups
        on
            answers.epoch = unusual_groups.epoch
            and answers.split_hash = unusual_groups.split_hash
            and (answers.adapter is null) = unusual_groups.lacks_adapter
            and (answers.agent is null) = unusual_groups.lacks_agent
    where
        answers.outcome = 'charged'
        and {{ of_this_run('answers.epoch') }}

    union all

    -- After the difference of its group, if it has one, an unpaid charge still stands for all.
    select
        unfunded.own_epoch as epoch,
        unfunded.topic,
        unfunded.partition,
        unfunded.answer_offset,
        -coalesce(usual.data_bp, 0) - coalesce(unusual_groups.difference_bp, 0) as difference_bp
    from unfunded
    inner join answers
        on
            unfunded.own_epoch = answers.epoch
            and unfunded.topic = answers.topic
            and unfunded.partition = answers.partition
            and unfunded.answer_offset = answers.answer_offset
    left join usual on unfunded.own_epoch = usual.epoch
    left join unusual_groups
        on
            answers.epoch = unusual_groups.epoch
            and answers.split_hash = unusual_groups.split_hash
            and (answers.adapter is null) = unusual_groups.lacks_adapter
            and (answers.agent is null) = unusual_groups.lacks_agent
    where {{ of_this_run('answers.epoch') }}
),

mended as (
    select
        attributions.epoch,
        attributions.document_id,
        sum(attributions.weight * attributions.charge_units * unusual.difference_bp) as weight
    from attributions
    inner join unusual
        on
            attributions.epoch = unusual.epoch
            and attributions.topic = unusual.topic
            and attributions.partition = unusual.partition
            and attributions.answer_offset = unusual.answer_offset
    where {{ of_this_run('attributions.epoch') }}
    group by 1, 2
),

recorded as (
    select
        all_recorded.epoch,
        all_recorded.document_id,
        all_recorded.weight * usual.data_bp as weight
    from all_recorded
    inner join usual on all_recorded.epoch = usual.epoch

    union all

    select * from mended
),

by_number as (
    select
        epoch,
        document_id,
        sum(weight) as weight
    from recorded
    group by 1, 2
),

carried as (
    select
        carried_in.epoch,
        carried_weights.document as asset,
        carried_in.charge_units * carried_weights.weight * (
            splits.data_bp
            + case when carried_in.adapter is null then splits.adapter_bp else 0 end
            + case when carried_in.agent is null then splits.agent_bp else 0 end
        ) as weight
    from carried_in
    inner join splits on carried_in.split_hash = splits.split_hash
    inner join carried_weights
        on
            carried_in.posting_id = carried_weights.posting_id
            and carried_in.own_epoch = carried_weights.own_epoch
            and carried_in.request_hash = carried_weights.request_hash
),

by_hash as (
    select
        by_number.epoch,
        documents.document as asset,
        by_number.weight
    from by_number
    inner join documents on by_number.document_id = documents.document_id

    union all

    select * from carried
),

final as (
    select
        epochs.posting_id,
        by_hash.epoch,
        by_hash.asset,
        sum(by_hash.weight) as weight
    from by_hash
    inner join epochs on by_hash.epoch = epochs.epoch
    group by 1, 2, 3
    having sum(by_hash.weight) <> 0
)

select * from final
