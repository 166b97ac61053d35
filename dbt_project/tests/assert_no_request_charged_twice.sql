-- I2: no request hash is charged twice, charges carried in included. `purchases` refuses a second
-- one when it is recorded; this is the second look, before money moves.
{% if execute %}{% do run_query(for_millions()) %}{% endif %}
with

epochs as (
    select * from {{ ref('int_posting_epochs') }}
),

charged as (
    select
        epochs.posting_id,
        answers.request_hash
    from {{ ref('stg_recording__answers') }} as answers
    inner join epochs on answers.epoch = epochs.epoch
    where
        answers.outcome = 'charged'
        and {{ of_this_run('answers.epoch') }}

    union all

    select
        posting_id,
        request_hash
    from {{ ref('stg_settlement__carried') }}
    where posting_id in (select posting_id from epochs)
)

select
    posting_id,
    request_hash,
    count(*) as charges
from charged
group by 1, 2
having count(*) > 1
