-- A leaf of anything but an address can be claimed by nobody: unbound owners earn into `unclaimed`.
select *
from {{ ref('fct_leaves') }}
where
    posting_id in (select posting_id from {{ ref('int_postings') }})
    and address !~ '^0x[0-9a-f]{40}$'
