select
    valid_from_epoch,
    write_off_epochs,
    ledger_accounts ->> 'commons' as commons_account,
    ledger_accounts ->> 'insurance' as insurance_account,
    ledger_accounts ->> 'platform' as platform_account,
    ledger_accounts ->> 'unclaimed' as unclaimed_account,
    reasons ->> 'bound' as bound_reason,
    reasons ->> 'frozen' as frozen_reason,
    reasons ->> 'no_owner' as no_owner_reason,
    reasons ->> 'too_old' as too_old_reason,
    reasons ->> 'unbound' as unbound_reason,
    reasons ->> 'unfunded' as unfunded_reason
from {{ source('settlement', 'payouts') }}
