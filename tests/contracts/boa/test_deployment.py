"""The constructor's refusals, the constants, and the artefacts."""

import boa
import pytest
from world import (
    ACTIVATION_DELAY_S,
    ARBITER_DEADLINE_S,
    BOND,
    DISTRIBUTARY,
    FAIL_SAFE_S,
    GRACE_BLOCKS,
    TIMELOCK_S,
    ZERO,
    World,
)

from contracts.build import stale

CODE_BYTES_MAX = 24_576  # EIP-170


def test_settings__of_a_deployed_contract__are_those_given(world: World) -> None:
    contract = world.contract
    assert contract.token() == world.token.address
    assert (contract.owner(), contract.settler(), contract.arbiter()) == (
        world.owner, world.settler, world.arbiter,
    )  # fmt: skip
    assert contract.activationDelayS() == ACTIVATION_DELAY_S
    assert contract.arbiterDeadlineS() == ARBITER_DEADLINE_S
    assert contract.graceBlocks() == GRACE_BLOCKS
    assert contract.failSafeS() == FAIL_SAFE_S
    assert (contract.bondUnits(), contract.timelockS()) == (BOND, TIMELOCK_S)
    assert contract.version() == "2.0.0"


@pytest.mark.parametrize(
    ("place", "value", "reason"),
    [
        (0, ZERO, "token is no contract"),
        (1, ZERO, "role is zero"),
        (2, ZERO, "role is zero"),
        (6, 4 * (ACTIVATION_DELAY_S + ARBITER_DEADLINE_S) - 1, "fail-safe too early"),
        (7, 0, "bond is zero"),
    ],
)
def test_deploy__with_one_wrong_argument__reverts(
    world: World, place: int, value: object, reason: str
) -> None:
    right = [world.token, world.settler, world.arbiter, ACTIVATION_DELAY_S, ARBITER_DEADLINE_S]
    right += [GRACE_BLOCKS, FAIL_SAFE_S, BOND, TIMELOCK_S]
    right[place] = value
    with boa.reverts(reason):
        DISTRIBUTARY.deploy(*right)


def test_deploy__with_the_settler_as_arbiter__reverts(world: World) -> None:
    settings = [ACTIVATION_DELAY_S, ARBITER_DEADLINE_S, GRACE_BLOCKS, FAIL_SAFE_S, BOND, TIMELOCK_S]
    with boa.reverts("settler is arbiter"):
        DISTRIBUTARY.deploy(world.token, world.settler, world.settler, *settings)


def test_artefacts__of_every_contract__are_what_the_source_compiles_to() -> None:
    assert stale() == []


def test_code__of_the_contract__fits_a_chain(world: World) -> None:
    assert len(boa.env.get_code(world.contract.address)) < CODE_BYTES_MAX


def test_functions__that_change_anything__say_their_effects_and_requirements() -> None:
    wanted = {"@notice", "@custom:effects", "@custom:requirements"}
    functions = [
        node
        for node in DISTRIBUTARY.compiler_data.annotated_vyper_module.body
        if type(node).__name__ == "FunctionDef"
        and "external" in {getattr(word, "id", "") for word in node.decorator_list}
        and not {"view", "pure"} & {getattr(word, "id", "") for word in node.decorator_list}
    ]
    assert len(functions) > 20
    said = {node.name: set(node.doc_string.value.split()) for node in functions}
    assert [name for name, words in said.items() if not wanted <= words] == []
