{# Memory for one sort or hash of a model over millions of rows: spilling would double its time. #}
{% macro give_memory() -%}
    set local work_mem = '256MB'
{%- endmacro %}
