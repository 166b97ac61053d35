-- A charge whose stamp is not in the catalogue has no roles to go to.
select distinct groups.split_hash
from {{ ref('int_answer_groups') }} as groups
left join {{ ref('stg_settlement__splits') }} as splits on groups.split_hash = splits.split_hash
where splits.split_hash is null
