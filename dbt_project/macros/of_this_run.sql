{#
    Bounds on an epoch column, as numbers. They follow from the join with the epochs of this run;
    stated so, Postgres opens no partition of another epoch, and knows how many rows to expect: with
    a sub-query in their place it expects one in two hundred, and takes one worker for all of them. A
    run of one epoch, as most are, has it as a constant, which costs nothing to group by.
    Unit tests put `true` here. A CTE of a recorded table that is used twice must be
    `not materialized`, or it is copied first.
#}
{% macro of_this_run(column) -%}
    {%- set epochs = ref('int_posting_epochs') -%}
    {%- set bounds = none -%}
    {%- if execute and adapter.get_relation(epochs.database, epochs.schema, epochs.identifier) -%}
        {%- set bounds = run_query('select min(epoch), max(epoch) from ' ~ epochs).rows[0] -%}
    {%- endif -%}
    {%- if bounds is none -%}
        true
    {%- elif bounds[0] is none -%}
        false
    {%- elif bounds[0] == bounds[1] -%}
        {{ column }} = {{ bounds[0] | int }}
    {%- else -%}
        {{ column }} between {{ bounds[0] | int }} and {{ bounds[1] | int }}
    {%- endif -%}
{%- endmacro %}
