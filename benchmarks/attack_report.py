"""The figures of each attack, without and with the controls at registration."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.attack_documents import ATTACKS, Ground, merge_own, split_own
from benchmarks.attack_market import Market, Owned, Round, register
from distributary.attribution.method import COMMONS
from distributary.attribution.weights import WHOLE

VICTIMS = 20
DATA_BASIS_POINTS = 5_000
"""Of a charge, where neither adapter nor agent takes part: their shares go to data."""


def _attackers(pay: Mapping[str, float]) -> float:
    return sum(share for owner, share in pay.items() if owner.startswith("attacker"))


def _of(pay: Mapping[str, float], owners: Sequence[Owned]) -> float:
    return sum(pay.get(one.owner, 0.0) for one in owners)


def ground_of(market: Market, documents: Sequence[Owned], past: dict[str, list[str]]) -> Ground:
    """Asks the honest datanet once; the victims are who earned most."""
    base = market.ask(documents)
    ranked = sorted(documents, key=lambda one: (-base.pay.get(one.owner, 0.0), one.key))
    seen = list(zip(market.questions, base.answers, strict=True))
    return Ground(documents, ranked[:VICTIMS], past, seen)


def attack(market: Market, ground: Ground, base: Round, name: str) -> dict[str, Any]:
    """One attack: the attacker's share of all data money, and what his victims lose."""
    given = ATTACKS[name](ground)
    _, refused = register([*ground.documents, *given])
    kept = [one for one in given if one not in set(refused)]
    honest = _of(base.pay, ground.victims)
    figures: dict[str, Any] = {"documents": len(given), "refused": len(refused)}
    for controls, registered in (("without", given), ("with", kept)):
        pay = market.ask([*ground.documents, *registered]).pay if registered else base.pay
        figures[controls] = {
            "attacker_percent": _percent(_attackers(pay)),
            "victims_change_percent": _percent(_of(pay, ground.victims) / honest - 1),
            "commons_percent": _percent(pay.get(COMMONS, 0.0)),
        }
    return figures


def own_documents(market: Market, ground: Ground, base: Round) -> dict[str, Any]:
    """How the pay of the victims' owners changes if they split or merge their own documents."""
    rest = [one for one in ground.documents if one not in ground.victims]
    honest = _of(base.pay, ground.victims)
    figures = {}
    for name, given in (
        ("split", split_own(ground.victims)),
        ("merged", merge_own(ground.victims)),
    ):
        _, refused = register([*rest, *given])
        pay = market.ask([*rest, *given]).pay
        figures[name] = {
            "documents": len(given),
            "refused": len(refused),
            "pay_change_percent": _percent(_attackers(pay) / honest - 1),
        }
    return figures


def self_dealing(ground: Ground, base: Round) -> dict[str, Any]:
    """The net gain of an account that owns the best documents and asks only what pays them."""
    owners = {one.owner for one in ground.victims}
    earned = [
        sum(weight for owner, weight in weights.items() if owner in owners)
        for weights in base.weights
    ]
    asked = [weight for weight in earned if weight]
    paid_back = sum(asked) * DATA_BASIS_POINTS / 10_000 / WHOLE
    return {
        "questions": len(asked),
        "net_gain_percent_of_charges": _percent(paid_back / max(1, len(asked)) - 1),
    }


def report(
    market: Market, documents: Sequence[Owned], past: dict[str, list[str]]
) -> dict[str, Any]:
    """All figures; `progress` is whatever the market's model prints."""
    ground = ground_of(market, documents, past)
    base = market.ask(documents)
    _, refused = register(documents)
    return {
        "questions": len(market.questions),
        "honest": {
            "documents": len(documents),
            "refused": len(refused),
            "victims": len(ground.victims),
            "victims_percent": _percent(_of(base.pay, ground.victims)),
            "commons_percent": _percent(base.pay.get(COMMONS, 0.0)),
        },
        "attacks": {name: attack(market, ground, base, name) for name in ATTACKS},
        "own_documents": own_documents(market, ground, base),
        "self_dealing": self_dealing(ground, base),
    }


def _percent(share: float) -> float:
    return round(100 * share, 2)
