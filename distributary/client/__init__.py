"""Sending paid requests and waiting for their answers; see `Client`."""

from distributary.answers import Answer
from distributary.client.asynchronous import AsyncClient
from distributary.client.bulk import Outcome, send_many
from distributary.client.client import Client
from distributary.client.errors import RefusedError, TimedOutError
from distributary.client.exchange import Exchange, Handle
from distributary.client.signed import Randomness, SignedRequest, Signer, write_body

__all__ = [
    "Answer",
    "AsyncClient",
    "Client",
    "Exchange",
    "Handle",
    "Outcome",
    "Randomness",
    "RefusedError",
    "SignedRequest",
    "Signer",
    "TimedOutError",
    "send_many",
    "write_body",
]
