-- Everything that earns or earned, with its owner and payee as they are now.
with

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
    select * from {{ ref('stg_recording__payee_bindings') }}
),

on_chain as (
    select * from {{ ref('stg_chain__bindings') }}
),

owned as (
    select
        'data' as role,
        document as asset,
        owner_id,
        title,
        bytes
    from documents

    union all

    select
        role,
        asset,
        owner_id,
        null as title,
        null as bytes
    from assets
),

final as (
    select
        owned.role,
        owned.asset,
        owners.owner,
        coalesce(on_chain.payee, registered.payee) as payee,
        owned.title,
        owned.bytes
    from owned
    inner join owners on owned.owner_id = owners.owner_id
    left join on_chain on owners.owner = on_chain.owner
    left join registered on owned.owner_id = registered.owner_id
)

select * from final
