select
    posting_id,
    owner,
    units
from {{ source('settlement', 'in_unclaimed') }}
