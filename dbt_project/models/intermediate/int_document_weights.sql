-- Charge · basis points · attribution by document. Charge and basis points stand on every
-- attribution row, so the millions of them are summed without a join, paid or not; what is not paid
-- is taken off again. Their product is halved into 32 bits, so that times a weight, below 2^30, each
-- half stays an integer of eight bytes; where the product itself is none, it is summed as numeric.
{{ config(pre_hook="{{ for_millions() }}") }}

with

epochs as (
    select * from {{ ref('int_posting_epochs') }}
),

attributions as not materialized (
    select * from {{ ref('stg_recording__attributions') }}
    where {{ of_this_run('epoch') }}
),

documents as (
    select * from {{ ref('stg_recording__documents') }}
),

splits as (
    select * from {{ ref('stg_settlement__splits') }}
),

unpaid as (
    select * from {{ ref('int_contested_charges') }}
    where
        not is_funded
        and topic is not null
),

carried_in as (
    select * from {{ ref('int_carried_in') }}
),

carried_weights as (
    select * from {{ ref('stg_settlement__carried_weights') }}
),

halves as (
    select
        epoch,
        document_id,
        sum(weight * (data_share & 4294967295)) as low_weight,
        sum(weight * (data_share >> 32)) as high_weight,
        sum(weight * data_bp * charge_units) filter (where data_share is null) as wide_weight
    from attributions
    group by 1, 2
),

not_paid as (
    select
        attributions.epoch,
        attributions.document_id,
        -sum(attributions.weight * attributions.data_bp * attributions.charge_units) as weight
    from attributions
    inner join unpaid
        on
            attributions.epoch = unpaid.own_epoch
            and attributions.topic = unpaid.topic
            and attributions.partition = unpaid.partition
            and attributions.answer_offset = unpaid.answer_offset
    group by 1, 2
),

recorded as (
    select
        epoch,
        document_id,
        coalesce(high_weight * 4294967296 + low_weight, 0) + coalesce(wide_weight, 0) as weight
    from halves

    union all

    select * from not_paid
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
        recorded.epoch,
        documents.document as asset,
        recorded.weight
    from recorded
    inner join documents on recorded.document_id = documents.document_id

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
