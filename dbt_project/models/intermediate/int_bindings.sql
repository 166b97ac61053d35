-- The payee of each owner: as pinned by the posting; as it is now where there is none.
with

postings as (
    select * from {{ ref('int_postings') }}
),

pinned as (
    select * from {{ ref('stg_settlement__bindings') }}
),

owners as (
    select * from {{ ref('stg_recording__owners') }}
),

registered as (
    select * from {{ ref('stg_recording__payee_bindings') }}
),

on_chain as (
    select * from {{ ref('stg_chain__bindings') }}
),

final as (
    select
        pinned.posting_id,
        pinned.owner,
        pinned.payee
    from pinned
    inner join postings on pinned.posting_id = postings.posting_id

    union all

    select
        postings.posting_id,
        owners.owner,
        coalesce(on_chain.payee, registered.payee) as payee
    from owners
    inner join postings on postings.is_provisional
    left join on_chain on owners.owner = on_chain.owner
    left join registered on owners.owner_id = registered.owner_id
    where coalesce(on_chain.payee, registered.payee) is not null
)

select * from final
