"""The numbers of documents in Postgres, cached: a document never loses its number."""

from collections.abc import Iterable, Mapping
from types import MappingProxyType

from psycopg import Connection
from psycopg.rows import TupleRow


class DocumentIds:
    """Numbers by document hash. Not thread-safe."""

    def __init__(self) -> None:
        self._ids: dict[str, int] = {}
        self.by_hash: Mapping[str, int] = MappingProxyType(self._ids)

    def learn(self, connection: Connection[TupleRow], documents: Iterable[str]) -> None:
        """Looks up the numbers of documents not known yet; `by_hash` has those that exist."""
        missing = sorted({hash_ for hash_ in documents if hash_ not in self._ids})
        if not missing:
            return
        rows = connection.execute(
            "select document, document_id from documents where document = any(%s)", (missing,)
        )
        self._ids.update({str(document): int(number) for document, number in rows})


class SessionKeys:
    """The latest expiry of each session key that an account has delegated. Not thread-safe."""

    def __init__(self) -> None:
        self._until: dict[tuple[str, str], int] = {}

    def learn(self, connection: Connection[TupleRow], pairs: Iterable[tuple[str, str]]) -> None:
        """Looks up the (account, key) pairs that are not known yet.

        A delegation known is kept: it is never withdrawn, only prolonged by another one, which
        `until` finds when the known one has ended (`forget`).
        """
        missing = sorted({pair for pair in pairs if pair not in self._until})
        if not missing:
            return
        rows = connection.execute(
            """
            select account, key, max(expires_at) from delegations
            join unnest(%s::text[], %s::text[]) as wanted (account, key) using (account, key)
            group by account, key
            """,
            ([account for account, _ in missing], [key for _, key in missing]),
        )
        self._until.update({(account, key): int(until) for account, key, until in rows})

    def forget_ended(self, at_s: int) -> None:
        """Forgets keys that have ended at Unix second `at_s`, so that a renewal is found."""
        self._until = {pair: until for pair, until in self._until.items() if until > at_s}

    def until(self, account: str, key: str) -> int | None:
        """The Unix second at which the key stops signing for the account, if it ever did."""
        return self._until.get((account, key))
