{#
    Incremental strategy `replace`: in one transaction, rows of this run's epochs (or postings) go,
    those of other attempts at these epochs too, and rows of this run come. `delete+insert` would
    leave what an epoch had where it has no row any more.
#}
{% macro get_incremental_replace_sql(arg_dict) -%}
    {%- set key = arg_dict["unique_key"] -%}
    {%- set columns = get_quoted_csv(arg_dict["dest_columns"] | map(attribute="name")) -%}

    delete from {{ arg_dict["target_relation"] }}
    where
        {{ key }} in (select {{ key }} from {{ ref('int_posting_epochs') }})
        or posting_id in (
            select other.posting_id
            from {{ source('settlement', 'postings_in') }} as other
            inner join {{ ref('int_posting_epochs') }} as built
                on built.epoch between other.from_epoch and other.to_epoch
            where other.posting_id <> built.posting_id
        );

    insert into {{ arg_dict["target_relation"] }} ({{ columns }})
    select {{ columns }} from {{ arg_dict["temp_relation"] }}
{%- endmacro %}
