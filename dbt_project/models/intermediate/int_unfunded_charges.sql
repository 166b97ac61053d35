-- Each charge that a posting leaves unpaid, once, in the epoch that decided it.
{{ config(materialized='incremental', incremental_strategy='replace', unique_key='epoch') }}

with

charges as (
    select * from {{ ref('int_contested_charges') }}
    where not is_funded
),

epochs as (
    select * from {{ ref('int_posting_epochs') }}
),

final as (
    select
        charges.posting_id,
        epochs.epoch,
        charges.own_epoch,
        charges.topic,
        charges.partition,
        charges.answer_offset,
        charges.request_hash,
        charges.account,
        charges.units,
        case
            when charges.leaves_epoch is null then 'carried'
            when charges.leaves_frozen then 'frozen'
            else 'written_off'
        end as state,
        case
            when charges.leaves_epoch is null then epochs.unfunded_reason
            when charges.leaves_frozen then epochs.frozen_reason
            else epochs.too_old_reason
        end as reason
    from charges
    inner join epochs
        on
            charges.posting_id = epochs.posting_id
            and coalesce(charges.leaves_epoch, epochs.to_epoch) = epochs.epoch
)

select * from final
