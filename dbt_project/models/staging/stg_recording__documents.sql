select
    document_id,
    document,
    owner_id,
    title,
    bytes
from {{ source('recording', 'documents') }}
