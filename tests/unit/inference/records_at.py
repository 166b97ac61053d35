"""Records as a lane reads them, made from requests, at any coordinates."""

from typing import Any

from distributary.identity import Coordinates
from distributary.inference.decode import Decoder
from distributary.inference.records import Record, Verified
from distributary.requests import Request
from tests.senders import DOMAIN, Customer, Headers, as_record

ADMITTED_AT_MS = 1_790_000_000_000
EXPIRES_AT = ADMITTED_AT_MS // 1000 + 3_600
BYTES_MAX = 4_096

PAYER = Customer()
ACCOUNTS = {PAYER.account: PAYER.state()}
DECODER = Decoder(DOMAIN, BYTES_MAX)


def record(value: bytes, headers: Headers | None, offset: int = 7) -> Record:
    """A record of any bytes."""
    given: Any = headers
    return Record(Coordinates("topic", 0, offset), ADMITTED_AT_MS, given, value)


def ask(event_id: str, body: Any = None, **changes: Any) -> Request:
    """A request that has not expired at the records' admission instant."""
    return PAYER.request(event_id, body, **({"expires_at": EXPIRES_AT} | changes))


def verified(request: Request, offset: int = 7) -> Verified:
    """The request as the decoder hands it on."""
    found = DECODER.decode(record(*as_record(request), offset), ACCOUNTS)
    assert isinstance(found, Verified), found
    return found
