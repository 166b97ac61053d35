"""The reference on postings made by hand: funding, carrying, freezing, releasing, leaves."""

from pathlib import Path
from typing import Any

import pytest

from distributary.attribution.weights import WHOLE
from distributary.errors import DistributaryError
from distributary.merkle import build_tree
from distributary.rewards.columnar import compute_columns
from distributary.rewards.funding import State
from distributary.rewards.inputs import AccountFunds, Correction, Inputs
from distributary.rewards.manifest import ZERO_ROOT
from distributary.rewards.posting import open_posting
from distributary.rewards.reference import Computed, compute
from tests.postings import address, carried_table, charged, hash_of, write_epoch, write_posting

PAYER, OTHER, AUTHOR, OPERATOR = (address(number) for number in (1, 2, 11, 12))
DOCUMENT = hash_of("document")
OWNED: dict[str, Any] = {
    "assets": {("data", DOCUMENT): "author", ("node", "local"): "operator"},
    "bindings": {"author": AUTHOR, "operator": OPERATOR},
}


def run(lake: Path, epochs: list[Any], **given: Any) -> Computed:
    """Computes a posting in both ways, and holds them equal."""
    changes = given.pop("manifest", {})
    inputs = Inputs(**(OWNED | given))
    posted = [
        each if not isinstance(each, list) else write_epoch(lake, number, [each])
        for number, each in enumerate(epochs, 1)
    ]
    manifest = write_posting(lake, posted, inputs, **changes)
    plain, columns = compute(lake, manifest), compute_columns(open_posting(lake, manifest))
    assert list(columns.charges) == list(plain.charges)
    assert vars(columns) | {"charges": 0} == vars(plain) | {"charges": 0}
    return plain


def lines(computed: Computed) -> dict[tuple[str, str], int]:
    return {(line.role, line.payee): line.units for line in computed.lines}


def states(computed: Computed) -> dict[str, tuple[int, State]]:
    return {c.request_hash: (c.epoch, c.state) for c in computed.charges}


def test_compute__one_funded_charge__divides_by_the_split(tmp_path: Path) -> None:
    row = charged("a", PAYER, 10_000, weights={DOCUMENT: WHOLE // 2})
    computed = run(tmp_path, [[row]], accounts={PAYER: AccountFunds(10_500, 0)})
    assert lines(computed) == {
        ("node", OPERATOR): 2_500,
        ("data", AUTHOR): 2_500,  # 4,000 and the absent adapter's and agent's 1,000, half of it
        ("commons", "commons"): 2_500,
        ("model", "unclaimed"): 1_500,
        ("platform", "platform"): 1_000,
    }
    assert [tuple(leaf) for leaf in computed.leaves] == [
        (0, AUTHOR, 2_500),
        (0, OPERATOR, 2_500),
        (1, PAYER, 10_000),
    ]
    assert (computed.earned_total, computed.charged_total) == (5_000, 10_000)
    assert computed.unclaimed == {"": 1_500}
    assert computed.root == build_tree([tuple(leaf) for leaf in computed.leaves]).root


def test_compute__adapter_and_agent_named__have_lines_of_their_own(tmp_path: Path) -> None:
    row = charged("a", PAYER, 10_000, adapter="lora", agent="helper", weights={DOCUMENT: WHOLE})
    computed = run(tmp_path, [[row]], accounts={PAYER: AccountFunds(10_000, 0)})
    found = {(line.role, line.asset): line.units for line in computed.lines}
    assert found["data", DOCUMENT] == 4_000
    assert (found["adapter", "lora"], found["agent", "helper"]) == (500, 500)


def test_compute__an_answer_without_weights__gives_its_data_share_to_commons(
    tmp_path: Path,
) -> None:
    row = charged("a", PAYER, 10_000, commons=None, documents=None) | {"weights": None}
    computed = run(tmp_path, [[row]], accounts={PAYER: AccountFunds(10_000, 0)})
    assert lines(computed)["commons", "commons"] == 5_000


def test_compute__uncharged_and_duplicate_rows__change_nothing(tmp_path: Path) -> None:
    row = charged("a", PAYER, 100)
    others = [
        charged("a", PAYER, 0, outcome="duplicate"),
        charged("b", PAYER, 0, outcome="uncharged", reason="expired"),
    ]
    funds = {PAYER: AccountFunds(1_000, 0)}
    alone = run(tmp_path / "1", [[row]], accounts=funds)
    assert run(tmp_path / "2", [[row, *others]], accounts=funds).root == alone.root


def test_compute__credit_used_up__carries_and_pays_in_a_later_posting(tmp_path: Path) -> None:
    rows = [charged("a", PAYER, 60), charged("b", PAYER, 60)]
    computed = run(tmp_path, [rows], accounts={PAYER: AccountFunds(100, 0)})
    (left,) = [c.request_hash for c in computed.charges if c.state is State.CARRIED]
    row = next(each for each in rows if each["request_hash"] == left)
    epoch = write_epoch(tmp_path, 2, [[]])
    later = run(
        tmp_path / "later",
        [write_epoch(tmp_path / "later", 2, [[]])],
        accounts={PAYER: AccountFunds(120, 0)},
        active_leaves={leaf[:2]: leaf[2] for leaf in computed.leaves},
        carried=carried_table([(1, row)]),
        unclaimed=computed.unclaimed,
        manifest={"parent_root": computed.root, "previous_cut_block": 101},
    )
    assert epoch.epoch == 2
    assert states(later) == {left: (2, State.FUNDED)}
    assert sum(line.units for line in later.lines) == 60
    assert later.charged_total == 120


def test_compute__carried_within_a_posting__is_funded_never_twice(tmp_path: Path) -> None:
    epochs = [[charged("a", PAYER, 60), charged("b", PAYER, 60)], [charged("c", PAYER, 30)]]
    computed = run(tmp_path, epochs, accounts={PAYER: AccountFunds(100, 0)})
    assert sorted(state for _, state in states(computed).values()) == [
        "carried",
        "funded",
        "funded",
    ]
    assert sum(line.units for line in computed.lines) == 90
    assert [c.epoch for c in computed.charges if c.state is State.CARRIED] == [2]


def test_compute__carried_for_sixty_four_epochs__is_written_off(tmp_path: Path) -> None:
    computed = run(
        tmp_path,
        [write_epoch(tmp_path, 70, [[]])],
        accounts={PAYER: AccountFunds(1_000, 0)},
        carried=carried_table([(6, charged("old", PAYER, 5)), (7, charged("new", PAYER, 5))]),
    )
    assert states(computed) == {
        hash_of("old"): (70, State.WRITTEN_OFF),
        hash_of("new"): (70, State.FUNDED),
    }


@pytest.mark.parametrize(("previous", "paid"), [(None, 2), (99, 2), (100, 1), (101, 1)])
def test_compute__frozen__pays_until_the_grace_is_over_in_whichever_posting(
    tmp_path: Path, previous: int | None, paid: int
) -> None:
    # Frozen at block 90, ten blocks of grace: over at 100.
    epochs = [
        write_epoch(tmp_path, 2, [[charged("a", PAYER, 1), charged("o", OTHER, 1)]], 101),
        write_epoch(tmp_path, 3, [[charged("b", PAYER, 1)]], 102),
    ]
    computed = run(
        tmp_path,
        epochs,
        accounts={PAYER: AccountFunds(9, 0, 90), OTHER: AccountFunds(9, 0)},
        manifest={"previous_cut_block": previous},
    )
    assert sum(c.state is State.FUNDED for c in computed.charges) == paid
    assert states(computed)[hash_of("b")] == (3, State.FROZEN)


def test_compute__an_owner_bound_since__is_paid_what_was_unclaimed(tmp_path: Path) -> None:
    row = charged("a", PAYER, 100, weights={DOCUMENT: WHOLE})
    computed = run(
        tmp_path,
        [[row], []],
        accounts={PAYER: AccountFunds(100, 0)},
        unclaimed={"author": 7, "nobody": 3},
    )
    assert [(line.epoch, line.units) for line in computed.lines if line.role == "release"] == [
        (1, 7)
    ]
    assert (0, AUTHOR, 50 + 7) in computed.leaves
    assert computed.unclaimed == {"": 15, "nobody": 3}


def test_compute__a_refund__is_a_line_to_the_accounts_own_address(tmp_path: Path) -> None:
    correction = Correction(1, "refund", "e" * 64, PAYER, "insurance", 40, "verdict")
    verdict = correction._replace(kind="verdict", payee=OPERATOR)
    computed = run(tmp_path, [[]], corrections=[correction, verdict])
    assert [tuple(line) for line in computed.lines] == [
        (1, "refund", "e" * 64, "", PAYER, 40, "verdict")
    ]
    assert [tuple(leaf) for leaf in computed.leaves] == [(0, PAYER, 40)]


def test_compute__accounts_that_paid_nothing__have_a_leaf_of_zero(tmp_path: Path) -> None:
    computed = run(tmp_path, [[]], accounts={PAYER: AccountFunds(5, 0)})
    assert [tuple(leaf) for leaf in computed.leaves] == [(1, PAYER, 0)]


def test_compute__nothing_at_all__has_the_zero_root(tmp_path: Path) -> None:
    computed = run(tmp_path, [[]])
    assert (computed.root, computed.tree, computed.lines) == (ZERO_ROOT, None, [])


def test_compute__active_leaves__are_added_to_and_stay(tmp_path: Path) -> None:
    row = charged("a", PAYER, 100, weights={DOCUMENT: WHOLE})
    computed = run(
        tmp_path,
        [[row]],
        accounts={PAYER: AccountFunds(1_100, 0)},
        active_leaves={(0, AUTHOR): 1, (0, OTHER): 2, (1, PAYER): 1_000},
    )
    assert {leaf[:2]: leaf[2] for leaf in computed.leaves} == {
        (0, AUTHOR): 51,
        (0, OTHER): 2,
        (0, OPERATOR): 25,
        (1, PAYER): 1_100,
    }


@pytest.mark.parametrize(
    ("code", "given"),
    [
        ("charged_twice", {"rows": ["a", "a"]}),
        ("charged_twice", {"carried": carried_table([(0, charged("a", PAYER, 1))])}),
        ("account_overdrawn", {"accounts": {PAYER: AccountFunds(5, 6)}}),
        ("weights_disagree", {"commons": 1}),
        ("unknown_rule", {"split_hash": "0" * 64}),
        ("bad_input_file", {"carried": carried_table([(1, charged("b", PAYER, 1))])}),
        (
            "bad_input_file",
            {"corrections": [Correction(2, "refund", "e" * 64, PAYER, "", 1, "")]},
        ),
    ],
)
def test_compute__what_must_not_be__is_refused_by_name(
    tmp_path: Path, code: str, given: dict[str, Any]
) -> None:
    columns = {name: given.pop(name) for name in ("commons", "split_hash") if name in given}
    rows = [charged(name, PAYER, 1, **columns) for name in given.pop("rows", ["a"])]
    inputs = Inputs(**({"accounts": {PAYER: AccountFunds(100, 0)}} | given))
    manifest = write_posting(tmp_path, [write_epoch(tmp_path, 1, [rows])], inputs)
    with pytest.raises(DistributaryError) as raised:
        compute(tmp_path, manifest)
    assert raised.value.code == code
    with pytest.raises(DistributaryError) as raised:
        compute_columns(open_posting(tmp_path, manifest))
    assert raised.value.code == code
