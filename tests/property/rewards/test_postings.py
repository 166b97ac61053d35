"""Random postings: the reference against itself by columns, and what must hold of any of them."""

import random
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from distributary.attribution.weights import WHOLE
from distributary.rewards.columnar import compute_columns
from distributary.rewards.funding import State
from distributary.rewards.inputs import CHARGED, EARNED, AccountFunds, Inputs
from distributary.rewards.manifest import SettlementManifest
from distributary.rewards.posting import open_posting
from distributary.rewards.reference import Computed, compute
from tests.postings import address, carried_table, charged, hash_of, write_epoch, write_posting

ACCOUNTS = [address(number) for number in range(1, 5)]
PAYEES = [address(number) for number in range(11, 15)]
DOCUMENTS = [hash_of(f"document {number}") for number in range(6)]
OWNERS = ["ann", "ben", "cem", "dee"]
FIRST = 70

# Small, equal and huge units: ties, starved accounts, and sums beyond 128 bits.
UNITS = st.one_of(st.integers(0, 12), st.sampled_from([100, 100, 10**18, 10**30]))
FEW = settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow])


@dataclass
class Case:
    """A posting to be written: rows by epoch, rows carried in, and inputs."""

    epochs: list[list[dict[str, Any]]]
    carried: list[tuple[int, dict[str, Any]]]
    inputs: dict[str, Any] = field(default_factory=dict)
    manifest: dict[str, Any] = field(default_factory=dict)

    def write(self, lake: Path, arrange: Any = lambda rows: [rows]) -> SettlementManifest:
        """Writes it; `arrange` cuts and orders the rows of an epoch into partitions."""
        posted = [
            write_epoch(lake, FIRST + number, arrange(rows))
            for number, rows in enumerate(self.epochs)
        ]
        inputs = Inputs(carried=carried_table(self.carried), **self.inputs)
        return write_posting(lake, posted, inputs, **self.manifest)


@st.composite
def weights(draw: st.DrawFn) -> Mapping[str, int]:
    named = draw(st.lists(st.sampled_from(DOCUMENTS), max_size=4, unique=True))
    left, found = WHOLE, {}
    for document in named:
        found[document] = draw(st.integers(1, max(1, left - 10)))
        left -= found[document]
    return found


@st.composite
def rows(draw: st.DrawFn, name: str) -> dict[str, Any]:
    changes: dict[str, Any] = {
        "node": draw(st.sampled_from(["local", "far"])),
        "adapter": draw(st.sampled_from([None, "lora"])),
        "agent": draw(st.sampled_from([None, "helper"])),
        "weights": draw(weights()),
    }
    if draw(st.integers(0, 9)) == 0:
        changes |= {"weights": {}, "commons": None}
    return charged(name, draw(st.sampled_from(ACCOUNTS)), draw(UNITS), **changes)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    sizes = draw(st.lists(st.integers(0, 8), min_size=1, max_size=3))
    epochs = [[draw(rows(f"{e}/{n}")) for n in range(size)] for e, size in enumerate(sizes)]
    carried = [
        (FIRST - draw(st.sampled_from([1, 2, 63, 64, 65])), draw(rows(f"carried/{number}")))
        for number in range(draw(st.integers(0, 3)))
    ]
    accounts, active = {}, {}
    for account in ACCOUNTS:
        kind = draw(st.sampled_from(["rich", "frozen", "poor", "without"]))
        if kind == "without":
            continue
        charged_before, withdrawn = draw(st.integers(0, 9)), draw(st.integers(0, 9))
        credit = draw(st.integers(0, 120)) if kind == "poor" else 10**31
        freeze = draw(st.sampled_from([150, 160, 161, 162, 175])) if kind == "frozen" else None
        deposited = charged_before + withdrawn + credit
        accounts[account] = AccountFunds(deposited, withdrawn, freeze)
        active[CHARGED, account] = charged_before
    for payee in draw(st.lists(st.sampled_from(PAYEES), unique=True)):
        active[EARNED, payee] = draw(st.integers(0, 5))
    assets = [("data", d) for d in DOCUMENTS]
    assets += [("node", "local"), ("model", "smollm2-135m"), ("agent", "helper")]
    owners = st.sampled_from(OWNERS)
    inputs = {
        "accounts": accounts,
        "active_leaves": active,
        "assets": draw(st.dictionaries(st.sampled_from(assets), owners)),
        "bindings": draw(st.dictionaries(owners, st.sampled_from(PAYEES))),
        "unclaimed": draw(st.dictionaries(owners, st.integers(0, 50))),
    }
    previous = draw(st.sampled_from([None, 160, FIRST + 99]))
    return Case(epochs, carried, inputs, {"previous_cut_block": previous})


def run(case: Case, arrange: Any = lambda rows: [rows]) -> tuple[SettlementManifest, Computed]:
    with tempfile.TemporaryDirectory() as folder:
        manifest = case.write(Path(folder), arrange)
        return manifest, compute(Path(folder), manifest)


@FEW
@given(cases())
def test_compute_columns__any_posting__is_the_reference_to_the_unit(case: Case) -> None:
    with tempfile.TemporaryDirectory() as folder:
        manifest = case.write(Path(folder), lambda rows: [rows[::2], rows[1::2]])
        plain = compute(Path(folder), manifest)
        columns = compute_columns(open_posting(Path(folder), manifest))
    assert list(columns.charges) == list(plain.charges)
    assert vars(columns) | {"charges": 0} == vars(plain) | {"charges": 0}


@FEW
@given(cases())
def test_compute__any_posting__conserves_money(case: Case) -> None:
    _, computed = run(case)
    funded = sum(c.units for c in computed.charges if c.state is State.FUNDED)
    before, after = case.inputs["unclaimed"], computed.unclaimed
    released = sum(line.units for line in computed.lines if line.role == "release")
    assert sum(line.units for line in computed.lines) == funded + released
    kept = sum(x.units for x in computed.lines if x.payee == "unclaimed")
    assert sum(after.values()) == sum(before.values()) + kept - released
    active = case.inputs["active_leaves"]
    leaves = {leaf[:2]: leaf[2] for leaf in computed.leaves}
    assert all(leaves[key] >= units for key, units in active.items())
    paid = sum(x.units for x in computed.lines if x.payee.startswith("0x"))
    assert computed.earned_total == sum(u for (k, _), u in active.items() if k == EARNED) + paid
    assert computed.charged_total == sum(u for (k, _), u in active.items() if k == CHARGED) + funded
    for account, funds in case.inputs["accounts"].items():
        left = funds.deposited_units - funds.withdrawn_units - leaves[CHARGED, account]
        assert left >= 0


@FEW
@given(cases())
def test_compute__any_posting__decides_every_charge_once(case: Case) -> None:
    _, computed = run(case)
    every = [
        row["request_hash"] for rows in (*case.epochs, [r for _, r in case.carried]) for row in rows
    ]
    assert sorted(charge.request_hash for charge in computed.charges) == sorted(every)


def rearranged(seed: int) -> Any:
    """Other partitions, another order, and every answer delivered twice."""
    dice = random.Random(seed)

    def arrange(rows: Sequence[dict[str, Any]]) -> list[list[dict[str, Any]]]:
        again = {"outcome": "duplicate", "charge_units": "0", "commons": None}
        again |= {"documents": None, "weights": None}
        every = [*rows, *(row | again for row in rows)]
        dice.shuffle(every)
        partitions: list[list[dict[str, Any]]] = [[] for _ in range(dice.randint(1, 4))]
        for row in every:
            dice.choice(partitions).append(row)
        return partitions

    return arrange


@FEW
@given(cases(), st.integers(0, 1_000))
def test_compute__redelivered_and_reordered__has_the_same_root_and_lines(
    case: Case, seed: int
) -> None:
    _, once = run(case)
    _, again = run(case, rearranged(seed))
    assert (again.root, again.lines, again.charges) == (once.root, once.lines, once.charges)


@FEW
@given(cases())
def test_compute__epoch_by_epoch__is_what_one_posting_over_all_of_them_gives(case: Case) -> None:
    # Bindings pay from a posting's first epoch on, so there are none; freezes reach across.
    case.inputs |= {"unclaimed": {}}
    _, together = run(case)
    by_hash = {row["request_hash"]: row for rows in case.epochs for row in rows}
    by_hash |= {row["request_hash"]: row for _, row in case.carried}
    own = {row["request_hash"]: FIRST + n for n, rows in enumerate(case.epochs) for row in rows}
    own |= {row["request_hash"]: epoch for epoch, row in case.carried}
    active, carried, lines = case.inputs["active_leaves"], case.carried, []
    previous = case.manifest["previous_cut_block"]
    for number, epoch_rows in enumerate(case.epochs):
        with tempfile.TemporaryDirectory() as folder:
            posted = [write_epoch(Path(folder), FIRST + number, [epoch_rows])]
            inputs = case.inputs | {"active_leaves": active, "carried": carried_table(carried)}
            manifest = write_posting(
                Path(folder), posted, Inputs(**inputs), previous_cut_block=previous
            )
            alone = compute(Path(folder), manifest)
        previous = posted[0].cut_block
        active = {leaf[:2]: leaf[2] for leaf in alone.leaves}
        left = [c.request_hash for c in alone.charges if c.state is State.CARRIED]
        carried = [(own[hash_], by_hash[hash_]) for hash_ in left]
        lines += alone.lines
    assert lines == together.lines
    assert active == {leaf[:2]: leaf[2] for leaf in together.leaves}


@FEW
@given(cases())
def test_lines__any_posting__are_within_one_unit_of_the_exact_share(case: Case) -> None:
    _, computed = run(case)
    for epoch, pool in computed.pools.items():
        lines = [x for x in computed.lines if x.epoch == epoch and x.role == "platform"]
        assert abs(sum(x.units for x in lines) - Fraction(pool, 10)) < 1
