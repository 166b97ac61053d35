"""What an owner of keys and an operator do together: enrol an account, delegate, grant, erase.

Each writes rows first, then publishes the account's record, then keeps the key file: whatever
breaks in between, the step can be taken again.
"""

import time
from collections.abc import Callable

from distributary import keys
from distributary.accounts import sign_delegation
from distributary.keys import AccountKey, SessionKey
from distributary.publisher import publish_accounts
from distributary.settings import DAY_S, Settings
from distributary.store import accounts as rows

DELEGATION_S = 365 * DAY_S


def create_account(settings: Settings, name: str, credit_units: int = 0) -> AccountKey:
    """Makes an address with its key files, registers it, and grants credit if any.

    Repeating it after a failure finishes what was begun with the same address.

    Raises:
        InputError: `key_exists`: there is such an account, complete; or a bad name or grant.
        UnavailableError: Postgres or Kafka does not answer.
    """
    rows.check_grant(credit_units or 1)
    with rows.open_registry(settings) as connection:
        key = _unfinished_or_new(settings, name)
        if rows.add_account(connection, key.address) and credit_units:
            rows.add_grant(connection, key.address, credit_units, "granted at creation")
    authorize(settings, name)
    return key


def _unfinished_or_new(settings: Settings, name: str) -> AccountKey:
    begun = keys.account_file(settings.home, name).exists()
    if begun and not keys.session_file(settings.home, name).exists():
        return keys.load_account_key(settings.home, name)
    return keys.make_account_key(settings.home, name)


def authorize(
    settings: Settings,
    name: str,
    lifetime_s: int = DELEGATION_S,
    clock: Callable[[], float] = time.time,
) -> SessionKey:
    """Delegates a new session key and keeps it in place of the one before.

    Raises:
        InputError: `no_key`, `unknown_account`, `account_erased`, or the lifetime is senseless.
        UnavailableError: Postgres or Kafka does not answer.
    """
    owner = keys.load_account_key(settings.home, name)
    session = keys.new_session_key(owner.address, int(clock()) + lifetime_s)
    domain = settings.domain
    delegation = sign_delegation(domain, owner.private_key, session.key, session.expires_at)
    with rows.open_registry(settings) as connection:
        rows.add_delegation(connection, domain, owner.address, delegation)
    publish_accounts(settings, [owner.address])
    keys.save_session_key(settings.home, name, session)
    return session


def _change(settings: Settings, account: str, change: Callable[[rows.Registry], object]) -> None:
    with rows.open_registry(settings) as connection:
        change(connection)
    publish_accounts(settings, [account])


def grant(settings: Settings, account: str, units: int, note: str = "") -> None:
    """Gives an account credit: the operator's grant, base units.

    Raises:
        InputError: `unknown_account`, `account_erased`, or senseless units.
        UnavailableError: Postgres or Kafka does not answer.
    """
    _change(settings, account, lambda connection: rows.add_grant(connection, account, units, note))


def erase(settings: Settings, account: str) -> int:
    """Ends an account's keys and erases its prompts and answers from the lake.

    What was paid, and to whom, stays: it holds no text.

    Returns:
        How many texts were erased.

    Raises:
        InputError: `unknown_account`.
        UnavailableError: Postgres or Kafka does not answer.
    """
    from distributary.lake.texts import erase_texts

    _change(settings, account, lambda connection: rows.add_erasure(connection, account))
    return erase_texts(settings.lake_path, account)


def resolve_account(settings: Settings, name_or_address: str) -> str:
    """The address of a local name, or the address itself.

    Raises:
        InputError: `no_key` or `bad_address`.
    """
    from distributary.identity import parse_address

    if name_or_address.startswith("0x"):
        return parse_address(name_or_address)
    if keys.account_file(settings.home, name_or_address).exists():
        return keys.load_account_key(settings.home, name_or_address).address
    return keys.load_session_key(settings.home, name_or_address).account
