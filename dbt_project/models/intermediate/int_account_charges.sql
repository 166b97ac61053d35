-- What each account's answers cost in each epoch, funded or not.
{{ config(
    materialized='incremental', incremental_strategy='replace', unique_key='epoch',
    pre_hook="{{ for_millions() }}"
) }}

with

epochs as (
    select * from {{ ref('int_posting_epochs') }}
),

answers as (
    select * from {{ ref('stg_recording__answers') }}
),

final as (
    select
        epochs.posting_id,
        answers.epoch,
        answers.account,
        count(*) as charges,
        sum(answers.charge_units)::numeric(78, 0) as units
    from answers
    inner join epochs on answers.epoch = epochs.epoch
    where
        answers.outcome = 'charged'
        and {{ of_this_run('answers.epoch') }}
    group by 1, 2, 3
)

select * from final
