select
    posting_id,
    account,
    deposited_units,
    withdrawn_units,
    freeze_block
from {{ source('settlement', 'in_accounts') }}
