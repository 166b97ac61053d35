{#
    RFC 8785 of [epoch, role, asset, payee], as text. Postgres escapes a text as that standard does:
    quote, backslash and control characters only, the latter in lower case.
#}
{% macro canonical_json(epoch, role, asset, payee) -%}
    '[' || {{ epoch }}::text
    {%- for part in [role, asset, payee] %} || ',' || to_json({{ part }}::text)::text{% endfor %} || ']'
{%- endmacro %}

{# What orders lines of equal remainder: the smaller is first. #}
{% macro tie_key(epoch, role, asset, payee) -%}
    sha256(convert_to({{ canonical_json(epoch, role, asset, payee) }}, 'UTF8'))
{%- endmacro %}
