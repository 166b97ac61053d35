select
    posting_id,
    epoch,
    kind,
    request_hash,
    account,
    payee,
    units,
    reason
from {{ source('settlement', 'in_corrections') }}
