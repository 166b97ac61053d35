select
    epoch,
    state
from {{ source('recording', 'epochs') }}
