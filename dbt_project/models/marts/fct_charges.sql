-- Every charge once, as its posting leaves it. A view: most of it is the answers themselves.
with

epochs as (
    select * from {{ ref('int_built_epochs') }}
),

answers as (
    select * from {{ ref('stg_recording__answers') }}
),

carried as (
    select * from {{ ref('stg_settlement__carried') }}
),

unfunded as (
    select * from {{ ref('int_unfunded_charges') }}
),

recorded as (
    select
        epochs.posting_id,
        answers.epoch,
        answers.epoch as own_epoch,
        answers.request_hash,
        answers.account,
        answers.charge_units as units,
        case when epochs.is_provisional then 'assumed' else 'funded' end as state,
        null as reason
    from answers
    inner join epochs on answers.epoch = epochs.epoch
    where
        answers.outcome = 'charged'
        and not exists (
            select from unfunded
            where
                unfunded.posting_id = epochs.posting_id
                and unfunded.own_epoch = answers.epoch
                and unfunded.request_hash = answers.request_hash
        )
),

carried_in as (
    select
        carried.posting_id,
        epochs.epoch,
        carried.own_epoch,
        carried.request_hash,
        carried.account,
        carried.charge_units as units,
        'funded' as state,
        null as reason
    from carried
    inner join epochs
        on
            carried.posting_id = epochs.posting_id
            and epochs.epoch = epochs.from_epoch
    where
        not exists (
            select from unfunded
            where
                unfunded.posting_id = carried.posting_id
                and unfunded.own_epoch = carried.own_epoch
                and unfunded.request_hash = carried.request_hash
        )
),

left_unpaid as (
    select
        posting_id,
        epoch,
        own_epoch,
        request_hash,
        account,
        units,
        state,
        reason
    from unfunded
),

charges as (
    select * from recorded

    union all

    select * from carried_in

    union all

    select * from left_unpaid
),

final as (
    select
        posting_id,
        epoch,
        own_epoch,
        encode(request_hash, 'hex') as request_hash,
        account,
        units,
        state,
        reason
    from charges
)

select * from final
