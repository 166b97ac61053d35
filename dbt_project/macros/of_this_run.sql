{#
    Bounds on an epoch column. They follow from the join with the epochs of this run; stated so,
    Postgres leaves the partitions of all other epochs alone.
#}
{% macro of_this_run(column) -%}
    {{ column }} >= (select min(epoch) from {{ ref('int_posting_epochs') }})
    and {{ column }} <= (select max(epoch) from {{ ref('int_posting_epochs') }})
{%- endmacro %}
