{#
    Settings of a model that reads millions of rows. Memory, as a spilled hash takes twice the time;
    and no nested loop where there is another way: topic, partition and offset depend on each other,
    Postgres takes them for independent, expects a row and would read the epoch once for each.
#}
{% macro for_millions() -%}
    set local work_mem = '256MB';
    set local enable_nestloop = off
{%- endmacro %}
