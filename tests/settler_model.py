"""What must hold of a settler, checked on Postgres and the chain without its code."""

from dataclasses import dataclass, field

import psycopg
from eth_utils.crypto import keccak

from tests.settler_chain import SettlerChain


@dataclass
class SettlingClock:
    """A clock whose every second is a block; `script` may do something instead, once each."""

    chain: SettlerChain
    script: list = field(default_factory=list)
    seconds: float = 0.0

    def now_s(self) -> int:
        return int(self.chain.ask("eth_getBlockByNumber", "latest", False)["timestamp"], 16)

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds
        (self.script.pop(0) if self.script else self.chain.mine)()


@dataclass
class SettlerModel:
    """I6 at every send, and one decided transaction per nonce at the end."""

    dsn: str
    chain: SettlerChain
    unstored: list[str] = field(default_factory=list)

    def on_send(self, raw: bytes) -> None:
        """I6: what reaches the node stands in the database, committed, byte by byte."""
        with psycopg.connect(self.dsn) as connection:
            found = connection.execute(
                "select count(*) from transactions where signed = %s and hash = %s",
                (raw, keccak(raw)),
            ).fetchone()
        if found != (1,):
            self.unstored.append(keccak(raw).hex())

    def check(self) -> None:
        assert self.unstored == []
        with psycopg.connect(self.dsn) as connection:
            rows = connection.execute(
                "select nonce, state, hash, block, block_hash, succeeded from transactions"
            ).fetchall()
        decided = [row[0] for row in rows if row[1] == "finalized"]
        assert len(decided) == len(set(decided))
        for _, state, hash_, block, block_hash, succeeded in rows:
            receipt = self.chain.ask("eth_getTransactionReceipt", "0x" + hash_.hex())
            if state == "finalized":
                assert int(receipt["blockNumber"], 16) == block
                assert receipt["blockHash"] == "0x" + block_hash.hex()
                assert (int(receipt["status"], 16) == 1) is succeeded
            if state in ("replaced", "lost"):
                assert receipt is None
