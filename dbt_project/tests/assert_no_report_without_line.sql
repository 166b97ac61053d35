-- Reports divide what lines pay, and nothing else: contributors, like datanets, share the data
-- lines of an epoch.
with

lines as (
    select
        epoch,
        role,
        sum(units) as units
    from {{ ref('fct_reward_lines') }}
    where
        role in ('data', 'model', 'adapter', 'agent', 'node')
        and epoch in (select epoch from {{ ref('int_posting_epochs') }})
    group by 1, 2
),

reports as (
    select
        epoch,
        case when dimension in ('contributor', 'datanet') then 'data' else dimension end as role,
        dimension,
        sum(units) as units
    from {{ ref('rpt_reward_report') }}
    where epoch in (select epoch from {{ ref('int_posting_epochs') }})
    group by 1, 2, 3
)

select
    reports.epoch,
    reports.dimension,
    reports.units,
    lines.units as lines_units
from reports
full join lines
    on
        reports.epoch = lines.epoch
        and reports.role = lines.role
where reports.units is distinct from lines.units
