select
    split_hash,
    node_bp,
    data_bp,
    model_bp,
    adapter_bp,
    agent_bp,
    platform_bp
from {{ source('settlement', 'splits') }}
