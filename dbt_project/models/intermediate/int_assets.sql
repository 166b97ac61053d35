-- The owner of each asset: as stated by the posting; as registered now where there is none.
with

postings as (
    select * from {{ ref('int_postings') }}
),

stated as (
    select * from {{ ref('stg_settlement__assets') }}
),

owners as (
    select * from {{ ref('stg_recording__owners') }}
),

documents as (
    select * from {{ ref('stg_recording__documents') }}
),

assets as (
    select * from {{ ref('stg_recording__assets') }}
),

registered as (
    select
        'data' as role,
        document as asset,
        owner_id
    from documents

    union all

    select
        role,
        asset,
        owner_id
    from assets
),

final as (
    select
        stated.posting_id,
        stated.role,
        stated.asset,
        stated.owner
    from stated
    inner join postings on stated.posting_id = postings.posting_id

    union all

    select
        postings.posting_id,
        registered.role,
        registered.asset,
        owners.owner
    from registered
    inner join owners on registered.owner_id = owners.owner_id
    inner join postings on postings.is_provisional
)

select * from final
