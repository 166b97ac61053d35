-- The postings of this run: the one asked for; else every one that is in force and not built yet,
-- and posting 0, which stands for the epochs that no posting covers so far.
with

postings as (
    select * from {{ ref('stg_settlement__postings') }}
),

epochs as (
    select * from {{ ref('stg_recording__epochs') }}
),

{% if var('posting_id') is not none %}

asked_for as (
    select
        posting_id,
        from_epoch,
        to_epoch,
        grace_blocks,
        previous_cut_block,
        false as is_provisional
    from postings
    where posting_id = {{ var('posting_id') | int }}
),

final as (
    select * from asked_for
)

{% else %}

in_force as (
    select
        posting_id,
        from_epoch,
        to_epoch,
        grace_blocks,
        previous_cut_block,
        false as is_provisional
    from postings
    where
        not exists (
            select from postings as later
            where
                later.posting_id > postings.posting_id
                and later.from_epoch <= postings.to_epoch
                and later.to_epoch >= postings.from_epoch
        )
),

not_posted as (
    select
        0::int8 as posting_id,
        min(epochs.epoch) as from_epoch,
        max(epochs.epoch) as to_epoch,
        0::int8 as grace_blocks,
        null::int8 as previous_cut_block,
        true as is_provisional
    from epochs
    where
        not exists (
            select from in_force
            where epochs.epoch between in_force.from_epoch and in_force.to_epoch
        )
    having count(*) > 0
),

built as (
    {{ built_postings() }}
),

final as (
    select * from in_force
    where posting_id not in (select posting_id from built)

    union all

    select * from not_posted
)

{% endif %}

select * from final
