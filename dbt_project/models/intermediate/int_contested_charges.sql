-- The charges of accounts that are not paid at once, one by one: whole charges only, the older
-- epoch first, then by request hash; one that does not fit waits, and the next is tried.
{{ config(pre_hook="{{ for_millions() }}", post_hook="analyze {{ this }}") }}

with

epochs as (
    select * from {{ ref('int_posting_epochs') }}
),

accounts as (
    select * from {{ ref('int_account_funding') }}
    where not is_paid_at_once
),

answers as (
    select * from {{ ref('stg_recording__answers') }}
),

carried as (
    select * from {{ ref('stg_settlement__carried') }}
),

candidates as (
    select
        epochs.posting_id,
        answers.epoch as own_epoch,
        answers.epoch as tried_epoch,
        answers.topic,
        answers.partition,
        answers.answer_offset,
        answers.request_hash,
        answers.account,
        answers.charge_units as units,
        answers.split_hash,
        answers.model,
        answers.adapter,
        answers.agent,
        answers.node,
        answers.datanet,
        answers.commons
    from answers
    inner join epochs on answers.epoch = epochs.epoch
    inner join accounts
        on
            epochs.posting_id = accounts.posting_id
            and answers.account = accounts.account
    where
        answers.outcome = 'charged'
        and {{ of_this_run('answers.epoch') }}

    union all

    select
        carried.posting_id,
        carried.own_epoch,
        epochs.epoch as tried_epoch,
        null as topic,
        null as partition,
        null as answer_offset,
        carried.request_hash,
        carried.account,
        carried.charge_units as units,
        carried.split_hash,
        carried.model,
        carried.adapter,
        carried.agent,
        carried.node,
        carried.datanet,
        carried.commons
    from carried
    inner join epochs
        on
            carried.posting_id = epochs.posting_id
            and epochs.epoch = epochs.from_epoch
),

-- The first epoch in which a charge leaves unpaid, if it is not paid before.
leaving as (
    select
        candidates.*,
        accounts.available_units,
        leaving_epoch.epoch as leaves_epoch,
        leaving_epoch.is_frozen as leaves_frozen
    from candidates
    inner join accounts
        on
            candidates.posting_id = accounts.posting_id
            and candidates.account = accounts.account
    left join lateral (
        select
            epochs.epoch,
            coalesce(epochs.epoch > accounts.last_epoch, false) as is_frozen
        from epochs
        where
            epochs.posting_id = candidates.posting_id
            and epochs.epoch >= candidates.tried_epoch
            and (
                epochs.epoch > accounts.last_epoch
                or epochs.epoch - candidates.own_epoch >= epochs.write_off_epochs
            )
        order by epochs.epoch
        limit 1
    ) as leaving_epoch on true
),

tried as (
    select
        *,
        coalesce(leaves_epoch = tried_epoch, false) as leaves_untried,
        settlement.credit_left(
            available_units,
            case when leaves_epoch = tried_epoch then 0 else units end
        ) over account_in_order as left_units
    from leaving
    window account_in_order as (
        partition by posting_id, account
        order by own_epoch, request_hash
        rows between unbounded preceding and current row
    )
),

final as (
    select
        posting_id,
        own_epoch,
        tried_epoch,
        topic,
        partition,
        answer_offset,
        request_hash,
        account,
        units,
        split_hash,
        model,
        adapter,
        agent,
        node,
        datanet,
        commons,
        leaves_epoch,
        leaves_frozen,
        not leaves_untried and units <= coalesce(
            lag(left_units) over (
                partition by posting_id, account order by own_epoch, request_hash
            ),
            available_units
        ) as is_funded
    from tried
)

select * from final
