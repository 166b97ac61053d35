with

claims as (
    select * from {{ ref('stg_chain__claims') }}
),

final as (
    select
        '0x' || encode(transaction_hash, 'hex') as transaction_hash,
        block,
        payee,
        recipient,
        units,
        cumulative_units
    from claims
)

select * from final
