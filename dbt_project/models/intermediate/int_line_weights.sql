-- The integer weights of an epoch's lines; they sum to 10^13 for each unit of its pool.
with

shares as (
    select * from {{ ref('int_shares') }}
),

documents as (
    select * from {{ ref('int_document_weights') }}
),

by_role as (
    {% for role in ['node', 'model', 'adapter', 'agent'] %}
    select
        posting_id,
        epoch,
        '{{ role }}' as role,
        {{ role }} as asset,
        units * {{ role }}_bp * 1000000000 as weight
    from shares
    where {{ role }} is not null

    union all
    {% endfor %}
    select
        posting_id,
        epoch,
        'platform' as role,
        'platform' as asset,
        units * platform_bp * 1000000000 as weight
    from shares

    union all

    select
        posting_id,
        epoch,
        'commons' as role,
        'commons' as asset,
        commons_weight * data_bp as weight
    from shares

    union all

    select
        posting_id,
        epoch,
        'data' as role,
        asset,
        weight
    from documents
),

final as (
    select
        posting_id,
        epoch,
        role,
        asset,
        sum(weight) as weight
    from by_role
    group by 1, 2, 3, 4
    having sum(weight) <> 0
)

select * from final
