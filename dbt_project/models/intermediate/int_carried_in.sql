-- The charges that were carried into a posting and are paid in its first epoch.
with

charges as (
    select * from {{ ref('int_contested_charges') }}
    where
        is_funded
        and own_epoch < tried_epoch
),

carried as (
    select * from {{ ref('stg_settlement__carried') }}
),

final as (
    select
        carried.*,
        charges.tried_epoch as epoch
    from carried
    inner join charges
        on
            carried.posting_id = charges.posting_id
            and carried.own_epoch = charges.own_epoch
            and carried.request_hash = charges.request_hash
)

select * from final
