-- What each account can pay in a posting, what is asked of it, and whether all of it is paid at
-- once: then its charges need not be looked at one by one.
with

postings as (
    select * from {{ ref('int_postings') }}
),

epochs as (
    select * from {{ ref('int_posting_epochs') }}
),

accounts as (
    select * from {{ ref('stg_settlement__accounts') }}
),

active_leaves as (
    select * from {{ ref('stg_settlement__active_leaves') }}
    where kind = 1
),

carried as (
    select * from {{ ref('stg_settlement__carried') }}
),

account_charges as (
    select * from {{ ref('int_account_charges') }}
),

cuts as (
    select
        posting_id,
        epoch,
        cut_block
    from epochs

    union all

    select
        posting_id,
        from_epoch - 1 as epoch,
        previous_cut_block as cut_block
    from postings
    where previous_cut_block is not null
),

credit as (
    select
        accounts.posting_id,
        accounts.account,
        accounts.deposited_units - accounts.withdrawn_units
        - coalesce(active_leaves.cumulative_units, 0) as available_units,
        accounts.freeze_block + postings.grace_blocks as frozen_from_block
    from accounts
    inner join postings on accounts.posting_id = postings.posting_id
    left join active_leaves
        on
            accounts.posting_id = active_leaves.posting_id
            and accounts.account = active_leaves.address
),

-- A frozen account pays up to the first epoch whose cut is not before the end of its grace.
frozen as (
    select
        credit.posting_id,
        credit.account,
        min(cuts.epoch) as last_epoch
    from credit
    inner join cuts
        on
            credit.posting_id = cuts.posting_id
            and credit.frozen_from_block <= cuts.cut_block
    group by 1, 2
),

asked as (
    select
        account_charges.posting_id,
        account_charges.account,
        account_charges.units,
        false as is_carried
    from account_charges
    inner join postings on account_charges.posting_id = postings.posting_id

    union all

    select
        carried.posting_id,
        carried.account,
        carried.charge_units as units,
        true as is_carried
    from carried
    inner join postings on carried.posting_id = postings.posting_id
),

asked_by_account as (
    select
        posting_id,
        account,
        sum(units) as asked_units,
        bool_or(is_carried) as has_carried
    from asked
    group by 1, 2
),

final as (
    select
        asked_by_account.posting_id,
        asked_by_account.account,
        asked_by_account.asked_units,
        frozen.last_epoch,
        coalesce(credit.available_units, 0) as available_units,
        postings.is_provisional or (
            asked_by_account.asked_units <= coalesce(credit.available_units, 0)
            and not asked_by_account.has_carried
            and coalesce(frozen.last_epoch >= postings.to_epoch, true)
        ) as is_paid_at_once
    from asked_by_account
    inner join postings on asked_by_account.posting_id = postings.posting_id
    left join credit
        on
            asked_by_account.posting_id = credit.posting_id
            and asked_by_account.account = credit.account
    left join frozen
        on
            asked_by_account.posting_id = frozen.posting_id
            and asked_by_account.account = frozen.account
)

select * from final
