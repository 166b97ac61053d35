select
    posting_id,
    epoch,
    cut_block
from {{ source('settlement', 'in_epochs') }}
