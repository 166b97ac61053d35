-- One row for each epoch: what was charged, what became of it, and where it went.
with

epochs as (
    select * from {{ ref('int_built_epochs') }}
),

account_charges as (
    select * from {{ ref('int_account_charges') }}
),

unfunded as (
    select * from {{ ref('int_unfunded_charges') }}
),

carried as (
    select * from {{ ref('stg_settlement__carried') }}
),

lines as (
    select * from {{ ref('fct_reward_lines') }}
),

charged as (
    select
        epoch,
        count(*) as accounts,
        sum(charges) as charges,
        sum(units) as units
    from account_charges
    group by 1
),

carried_in as (
    select
        epochs.epoch,
        sum(carried.charge_units) as units
    from carried
    inner join epochs
        on
            carried.posting_id = epochs.posting_id
            and epochs.epoch = epochs.from_epoch
    group by 1
),

-- What was carried into an epoch or made in it, and not paid in it.
not_paid as (
    select
        epochs.epoch,
        sum(unfunded.units) filter (
            where unfunded.epoch = epochs.epoch and unfunded.state = 'written_off'
        ) as written_off_units,
        sum(unfunded.units) filter (
            where unfunded.epoch = epochs.epoch and unfunded.state = 'frozen'
        ) as frozen_units,
        sum(unfunded.units) filter (
            where unfunded.epoch > epochs.epoch or unfunded.state = 'carried'
        ) as carried_out_units,
        sum(unfunded.units) filter (
            where
            unfunded.own_epoch < epochs.epoch
            and epochs.epoch > epochs.from_epoch
        ) as waiting_units
    from unfunded
    inner join epochs
        on
            unfunded.posting_id = epochs.posting_id
            and unfunded.own_epoch <= epochs.epoch
            and unfunded.epoch >= epochs.epoch
    group by 1
),

divided as (
    select
        epoch,
        count(*) as lines,
        count(distinct payee) filter (where payee like '0x%') as payees,
        sum(units) as lines_units,
        sum(units) filter (where role not in ('release', 'refund')) as rewards_units,
        sum(units) filter (where payee like '0x%') as to_payees_units,
        sum(units) filter (where reason is not null and payee not like '0x%') as unclaimed_units,
        {% for role in ['node', 'data', 'model', 'adapter', 'agent', 'platform', 'commons'] -%}
        sum(units) filter (where role = '{{ role }}') as {{ role }}_units,
        {% endfor -%}
        sum(units) filter (where role = 'release') as released_units,
        sum(units) filter (where role = 'refund') as refunded_units
    from lines
    group by 1
),

final as (
    select
        epochs.epoch,
        epochs.posting_id,
        epochs.is_provisional,
        coalesce(charged.accounts, 0)::int8 as accounts,
        coalesce(charged.charges, 0)::int8 as charges,
        coalesce(charged.units, 0)::numeric(78, 0) as charged_units,
        (coalesce(carried_in.units, 0) + coalesce(not_paid.waiting_units, 0))::numeric(78, 0)
            as carried_in_units,
        (
            coalesce(charged.units, 0)
            + coalesce(carried_in.units, 0)
            + coalesce(not_paid.waiting_units, 0)
            - coalesce(not_paid.written_off_units, 0)
            - coalesce(not_paid.frozen_units, 0)
            - coalesce(not_paid.carried_out_units, 0)
        )::numeric(78, 0) as funded_units,
        coalesce(not_paid.written_off_units, 0)::numeric(78, 0) as written_off_units,
        coalesce(not_paid.frozen_units, 0)::numeric(78, 0) as frozen_units,
        coalesce(not_paid.carried_out_units, 0)::numeric(78, 0) as carried_out_units,
        coalesce(divided.lines, 0)::int8 as lines,
        coalesce(divided.payees, 0)::int8 as payees,
        {% for name in [
            'lines', 'rewards', 'to_payees', 'unclaimed', 'node', 'data', 'model', 'adapter',
            'agent', 'platform', 'commons', 'released', 'refunded',
        ] -%}
        coalesce(divided.{{ name }}_units, 0)::numeric(78, 0) as {{ name }}_units
        {%- if not loop.last %},{% endif %}
        {% endfor %}
    from epochs
    left join charged on epochs.epoch = charged.epoch
    left join carried_in on epochs.epoch = carried_in.epoch
    left join not_paid on epochs.epoch = not_paid.epoch
    left join divided on epochs.epoch = divided.epoch
)

select * from final
