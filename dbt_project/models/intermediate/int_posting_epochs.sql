-- The epochs of this run, with the payout rule in force in each.
with

postings as (
    select * from {{ ref('int_postings') }}
),

epochs as (
    select * from {{ ref('stg_settlement__epochs') }}
),

recorded as (
    select * from {{ ref('stg_recording__epochs') }}
),

all_postings as (
    select * from {{ ref('stg_settlement__postings') }}
),

payouts as (
    select * from {{ ref('stg_settlement__payouts') }}
),

covered as (
    select
        postings.posting_id,
        epochs.epoch,
        epochs.cut_block
    from postings
    inner join epochs on postings.posting_id = epochs.posting_id

    union all

    select
        postings.posting_id,
        recorded.epoch,
        null::int8 as cut_block
    from postings
    inner join recorded
        on recorded.epoch between postings.from_epoch and postings.to_epoch
    where
        postings.is_provisional
        and not exists (
            select from all_postings
            where
                recorded.epoch between all_postings.from_epoch and all_postings.to_epoch
                and not exists (
                    select from all_postings as later
                    where
                        later.posting_id > all_postings.posting_id
                        and later.from_epoch <= all_postings.to_epoch
                        and later.to_epoch >= all_postings.from_epoch
                )
        )
),

final as (
    select
        covered.posting_id,
        covered.epoch,
        covered.cut_block,
        postings.from_epoch,
        postings.to_epoch,
        postings.is_provisional,
        rule.*
    from covered
    inner join postings on covered.posting_id = postings.posting_id
    cross join lateral (
        select * from payouts
        where payouts.valid_from_epoch <= covered.epoch
        order by payouts.valid_from_epoch desc
        limit 1
    ) as rule
)

select * from final
