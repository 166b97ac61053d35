"""When a posting is worth its gas: later epochs then go into the same root."""

from dataclasses import dataclass
from typing import Final

# A later `postRoot` takes 95,853 and `activateRoot` 125,866 (tests/contracts/gas.json): 221,719.
POST_GAS: Final = 250_000
BASIS_POINTS: Final = 10_000
TOKEN_UNITS: Final = 10**18


@dataclass(frozen=True, slots=True)
class HoldPolicy:
    """How long epochs wait for cheaper gas.

    Attributes:
        gas_share_bp_max: most that posting may cost, in basis points of what is settled.
        token_value_wei: what 10^18 base units of the token are worth; 0: gas is never weighed.
        age_s_max: after so long a posting goes whatever it costs.
    """

    gas_share_bp_max: int = 200
    token_value_wei: int = 0
    age_s_max: int = 24 * 60 * 60


@dataclass(frozen=True, slots=True)
class Held:
    """Why a posting waits: its cost and the most that it may cost, both in wei."""

    cost_wei: int
    cost_wei_max: int


def hold(units: int, gas_price_wei: int, age_s: int, policy: HoldPolicy) -> Held | None:
    """Whether to wait; None: post now.

    Args:
        units: charged in the epochs that wait, base units.
        gas_price_wei: of the next block, tip included.
        age_s: since the first of them was closed.
        policy: the limits.
    """
    if not policy.token_value_wei or age_s >= policy.age_s_max:
        return None
    value_wei = units * policy.token_value_wei // TOKEN_UNITS
    allowed = value_wei * policy.gas_share_bp_max // BASIS_POINTS
    cost = POST_GAS * gas_price_wei
    return None if cost <= allowed else Held(cost, allowed)
