"""The demo's money: deposits before the questions; after them epoch, root, claim and withdrawal."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

from distributary.enrolment import create_account
from distributary.errors import DistributaryError, UnavailableError
from distributary.keys import account_names, load_account_key
from distributary.publisher import publish_accounts
from distributary.rewards.finding_postings import find_posting
from distributary.rewards.findings import Report as Verified
from distributary.rewards.manifest import load_manifest
from distributary.rewards.opened import compute_opened
from distributary.rewards.page import make_page
from distributary.rewards.statement import make_statement
from distributary.rewards.verify import verify
from distributary.settings import Settings
from distributary.store import connect
from orchestration.chain import money
from orchestration.chain.proofs import trees_in
from orchestration.chain.rows import read_progress
from orchestration.chain.running import index_once
from orchestration.closing import close_epoch
from orchestration.running import compare, deposit_bond, open_settlement, suppress_running
from orchestration.settlement.report import Report as Settled
from orchestration.settlement.stops import StopError

INDEXED_S_MAX: Final = 60.0
LOOK_S: Final = 0.2


@dataclass(frozen=True)
class Moved:
    """Tokens that moved on the chain: how many base units, to whom, in which transaction."""

    units: int
    to: str
    transaction: str


@dataclass(frozen=True)
class Money:
    """What became of the money.

    Attributes:
        epoch: the epoch of the questions.
        root: the active root, as the contract has it.
        claimed: what the contributor claimed; none where his documents earned nothing.
        withdrawn: what the guest had not spent.
        figures: of the reconciliation; all agree.
        checks: of the verification; all hold.
        statement: the epoch's statement, an HTML page.
        settled_s: seconds from the epoch's close to its active root.
    """

    epoch: int
    root: str
    claimed: list[Moved]
    withdrawn: Moved
    figures: int
    checks: int
    statement: Path
    settled_s: float

    def moves(self) -> list[tuple[str, Moved]]:
        """What moved, for a table."""
        claims = [("a contributor claimed", moved) for moved in self.claimed]
        return [*claims, ("the guest withdrew", self.withdrawn)]

    def as_json(self) -> dict[str, Any]:
        """For `--json`; amounts as text."""
        moved = [asdict(each) | {"what": what} for what, each in self.moves()]
        return {
            "epoch": self.epoch,
            "root": self.root,
            "moved": [each | {"units": str(each["units"])} for each in moved],
            "figures_that_agree": self.figures,
            "checks_that_hold": self.checks,
            "statement": str(self.statement),
            "settled_s": round(self.settled_s, 1),
        }


STEPS: Final = 7


def run(
    settings: Settings, customer: str, guest: str, payee: str, step: Callable[[str], None]
) -> Money:
    """From recorded answers to claimed and withdrawn tokens.

    Args:
        settings: the local stack's.
        customer: pays the gas of the claim.
        guest: leaves, and takes what is left.
        payee: the contributor's address.
        step: told what is done next, `STEPS` times.

    Raises:
        DistributaryError: a step failed; the books differ; a check does not hold.
    """
    step("freezing the guest's account")
    leave(settings, guest)
    step("closing the epoch")
    began = time.monotonic()
    epoch = close_epoch(settings).epoch
    step("settling the epoch")
    settle(settings)
    settled_s = time.monotonic() - began
    step("claiming and withdrawing")
    claimed = claim(settings, customer, payee)
    withdrawn = withdraw(settings, guest)
    step("holding the ledger against the chain")
    figures = reconcile(settings)
    step("rebuilding the root from Parquet")
    verified = verify_epoch(settings, epoch)
    step("writing the statement")
    return Money(
        epoch=epoch,
        root=str(verified.root),
        claimed=claimed,
        withdrawn=withdrawn,
        figures=figures,
        checks=len(verified.findings),
        statement=write_statement(settings, epoch),
        settled_s=settled_s,
    )


def open_account(settings: Settings, name: str, units: int) -> str:
    """Makes an account or finds it, and sees that it has deposited `units`; its address."""
    if name not in account_names(settings.home):
        create_account(settings, name)
    key = load_account_key(settings.home, name)
    bank = money.open_bank(settings)
    missing = units - int(bank.contract.read("deposited", key.address))
    if missing > 0:
        receipt, _ = money.deposit(bank, bank.sender(key.private_key), key.address, missing)
        await_indexed(settings, receipt.block)
    publish_accounts(settings, [key.address])
    return key.address


def await_indexed(settings: Settings, block: int, *, final: bool = False) -> None:
    """Waits until a block is indexed, or also final; indexes where nobody else does.

    Raises:
        UnavailableError: the chain does not move, or nobody indexes it.
    """
    deadline = time.monotonic() + INDEXED_S_MAX
    while time.monotonic() < deadline:
        with suppress_running():
            index_once(settings)
        with connect(settings.require("postgres")) as connection:
            progress = read_progress(connection)
        if progress and (progress.finalized_block if final else progress.indexed_block) >= block:
            return
        time.sleep(LOOK_S)
    raise UnavailableError("The chain does not go on: read `distributary logs anvil`.", value=block)


def leave(settings: Settings, name: str) -> None:
    """Freezes an account, and waits for the block from which an epoch's cut lets it withdraw."""
    bank = money.open_bank(settings)
    key = load_account_key(settings.home, name)
    frozen_block = money.freeze(bank, bank.sender(key.private_key)).block
    publish_accounts(settings, [key.address])
    grace_blocks = int(bank.contract.read("graceBlocks"))
    await_indexed(settings, frozen_block + grace_blocks, final=True)


def settle(settings: Settings) -> Settled:
    """Settles what is closed, with the settler's bond topped up.

    Raises:
        StopError: a named stop.
        UnavailableError: the run ended before the root was active.
    """
    with open_settlement(settings) as settlement:
        deposit_bond(settlement)
        report = settlement.run()
    if report.waiting:
        raise UnavailableError("The root is not active yet; run it again.", value=report.waiting)
    return report


def claim(settings: Settings, payer: str, payee: str) -> list[Moved]:
    """Claims what a payee has earned; `payer` pays the gas."""
    bank, trees = money.open_bank(settings), trees_in(settings.lake_path)
    sender = bank.sender(load_account_key(settings.home, payer).private_key)
    claimed = money.claim(bank, sender, money.with_leaves(bank, [payee], trees), trees)
    return [
        Moved(event.units or 0, str(event.data["recipient"]), receipt.transaction_hash)
        for receipt, events in claimed
        for event in events
        if event.event == "Claimed"
    ]


def withdraw(settings: Settings, name: str) -> Moved:
    """Withdraws what a frozen account has not been charged."""
    bank = money.open_bank(settings)
    key = load_account_key(settings.home, name)
    receipt, event = money.withdraw(
        bank, bank.sender(key.private_key), trees_in(settings.lake_path)
    )
    await_indexed(settings, receipt.block, final=True)
    return Moved(event.units or 0, key.address, receipt.transaction_hash)


def reconcile(settings: Settings) -> int:
    """Holds the ledger against the chain; how many figures agree.

    Raises:
        StopError: `ledger_differs`.
    """
    with connect(settings.require("postgres"), autocommit=True) as connection:
        _, figures = compare(settings, connection)
    differing = [each.name for each in figures if each.difference]
    if differing:
        raise StopError("ledger_differs", value=", ".join(differing))
    return len(figures)


def verify_epoch(settings: Settings, epoch: int) -> Verified:
    """Rebuilds the root of an epoch's posting from Parquet alone; holds it against the chain.

    Raises:
        DistributaryError: `not_verified`, with the checks that fail.
    """
    lake, path = find_posting(settings.lake_path, str(epoch))
    root = money.active_root(money.open_bank(settings))
    report = verify(lake, load_manifest(path), root)
    if not report.ok:
        raise DistributaryError(
            f"Not everything holds: run `distributary verify {epoch}`.",
            value=", ".join(each.name for each in report.failures),
            code="not_verified",
        )
    return report


def write_statement(settings: Settings, epoch: int) -> Path:
    """Writes the epoch's statement as one self-contained page, beside the lake."""
    lake, path = find_posting(settings.lake_path, str(epoch))
    made = make_statement(compute_opened(lake, load_manifest(path)), epoch)
    page = settings.home.resolve() / "statements" / f"{epoch:08d}.html"
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(make_page(made), encoding="utf-8")
    return page
