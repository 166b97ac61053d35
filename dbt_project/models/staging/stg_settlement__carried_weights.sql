-- One row for each document: dbt's unit tests cannot make arrays.
select
    carried.posting_id,
    carried.epoch as own_epoch,
    carried.request_hash,
    each_document.document,
    each_document.weight
from {{ source('settlement', 'in_carried') }} as carried
cross join lateral unnest(carried.documents, carried.weights) as each_document (document, weight)
