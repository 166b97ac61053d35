-- The same groups with their shares in basis points: an absent adapter or agent gives to data.
{{ config(materialized='view') }}

with

groups as (
    select * from {{ ref('int_answer_groups') }}
),

splits as (
    select * from {{ ref('stg_settlement__splits') }}
),

final as (
    select
        groups.*,
        splits.node_bp,
        splits.model_bp,
        splits.adapter_bp,
        splits.agent_bp,
        splits.platform_bp,
        splits.data_bp
        + case when groups.adapter is null then splits.adapter_bp else 0 end
        + case when groups.agent is null then splits.agent_bp else 0 end as data_bp
    from groups
    inner join splits on groups.split_hash = splits.split_hash
)

select * from final
