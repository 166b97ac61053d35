-- Which posting each epoch in this schema was built for last.
{{ config(materialized='incremental', incremental_strategy='replace', unique_key='epoch') }}

select
    posting_id,
    epoch,
    from_epoch,
    to_epoch,
    is_provisional
from {{ ref('int_posting_epochs') }}
