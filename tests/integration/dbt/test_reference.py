"""dbt's lines, charges and leaves equal the reference's, to the unit and to the byte."""

import psycopg
from hypothesis import HealthCheck, Phase, example, given, note, settings
from hypothesis import strategies as st

from distributary.merkle import build_tree
from distributary.rewards.manifest import ZERO_ROOT
from distributary.rewards.posting import Posting
from distributary.rewards.reference import Computed, compute_posting
from distributary.store.built_rewards import read_charges, read_leaves, read_lines
from distributary.store.settlement_inputs import write_posting
from orchestration.dbt import Dbt
from tests.integration.dbt.worlds import Shape, World, make_posting

COMPUTING = ("path:models/intermediate", "fct_reward_lines", "fct_leaves", "fct_charges")
EXAMPLES = 3  # of eight postings or so: one run of dbt takes seconds, whatever it builds
LONG = Shape(seed=5, epochs=66, answers=3, units_max=1000, credit=10**4)

shapes = st.builds(
    Shape,
    seed=st.integers(0, 2**32),
    epochs=st.integers(1, 4),
    answers=st.integers(0, 25),
    units_max=st.sampled_from([3, 1000, 10**24]),
    credit=st.sampled_from([0, 10, 10**4, 10**25]),
)


def write(world: World, shape: Shape) -> tuple[int, Posting]:
    posting_id, posting = make_posting(world, shape)
    with psycopg.connect(world.dsn, autocommit=True) as connection:
        connection.execute("set role distributary_settlement")
        write_posting(connection, posting_id, posting)
    return posting_id, posting


def check(world: World, posting_id: int, computed: Computed, schema: str) -> None:
    with psycopg.connect(world.dsn) as connection:
        assert read_charges(connection, posting_id, schema) == computed.charges
        assert read_lines(connection, posting_id, schema) == computed.lines
        leaves = read_leaves(connection, posting_id, schema)
    assert leaves == computed.leaves
    assert (build_tree(leaves).root if leaves else ZERO_ROOT) == computed.root


@settings(
    max_examples=EXAMPLES,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=list(HealthCheck),
)
@example([LONG])
@given(st.lists(shapes, min_size=6, max_size=10))
def test_build__random_postings__gives_the_lines_charges_and_leaves_of_the_reference(
    world: World, analyst: Dbt, shapes: list[Shape]
) -> None:
    if world.next_posting == 1:
        analyst.run(select=["path:models/staging"])
    made = [write(world, shape) for shape in shapes]

    analyst.run(select=COMPUTING)

    for (posting_id, posting), shape in zip(made, shapes, strict=True):
        note(f"posting {posting_id}: {shape}")
        check(world, posting_id, compute_posting(posting), "reports")


def test_build__one_posting_for_settlement__gives_the_same_and_passes_every_test(
    world: World, settlement: Dbt
) -> None:
    shape = Shape(seed=11, epochs=3, answers=40, units_max=1000, credit=10**4)
    posting_id, posting = write(world, shape)

    built = settlement.build(posting_id)

    computed = compute_posting(posting)
    assert {charge.state.value for charge in computed.charges} >= {"funded", "carried"}
    check(world, posting_id, computed, "rewards")
    assert built.tests
