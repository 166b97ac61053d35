-- Taking unpaid charges off a sum must never take off more than went in.
select *
from {{ ref('int_line_weights') }}
where weight < 0
