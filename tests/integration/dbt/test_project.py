"""The project as a whole: its documents, what runs twice, and who can change what."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from jinja2 import Environment, FileSystemLoader
from psycopg import sql

from distributary.canonical import canonical_hash, canonical_json
from distributary.errors import DistributaryError
from distributary.rewards.leaves import Leaf
from distributary.rewards.posting import Posting
from distributary.rewards.reference import compute_posting
from distributary.store.built_rewards import read_leaves, read_lines
from distributary.store.settlement_inputs import post_leaves, read_posted_leaves, write_posting
from orchestration.dbt import PROJECT, Dbt
from tests.integration.dbt.worlds import NAMES, Shape, World, make_posting

BUILT = ("fct_reward_lines", "fct_leaves", "int_unfunded_charges", "rpt_reward_report")
COMPUTING = ("path:models/intermediate", "fct_reward_lines", "fct_leaves", "rpt_reward_report")
SHAPE = Shape(seed=3, epochs=2, answers=25, units_max=1000, credit=3000)


@pytest.fixture(scope="module")
def posting(world: World, settlement: Dbt) -> tuple[int, Posting]:
    """A posting that settlement built; its tests passed."""
    return build(world, settlement, SHAPE)


@pytest.fixture
def owner(dsn: str) -> Iterator[psycopg.Connection]:
    """A connection of the owner of the schema, whose changes are rolled back."""
    with psycopg.connect(dsn) as connection:
        connection.execute("select 1")  # else the first block of the code under test would commit
        yield connection
        connection.rollback()


def store(world: World, shape: Shape) -> tuple[int, Posting]:
    number, made = make_posting(world, shape)
    with psycopg.connect(world.dsn) as connection:
        connection.execute("set role distributary_settlement")
        write_posting(connection, number, made)
    return number, made


def build(world: World, settlement: Dbt, shape: Shape) -> tuple[int, Posting]:
    number, made = store(world, shape)
    assert settlement.build(number).tests
    return number, made


def rows(dsn: str, schema: str, tables: Sequence[str] = BUILT) -> dict[str, list[str]]:
    """Every row of some tables as text, sorted."""
    with psycopg.connect(dsn) as connection:
        return {
            table: sorted(
                row[0]
                for row in connection.execute(
                    sql.SQL("select t::text from {} t").format(sql.Identifier(schema, table))
                )
            )
            for table in tables
        }


def refusal(dbt: Dbt, *args: str, posting_id: int | None = None) -> DistributaryError:
    with pytest.raises(DistributaryError) as raised:
        dbt.invoke(*args, posting_id=posting_id)
    return raised.value


def test_macros__any_text__give_the_bytes_and_hashes_of_the_core(postgres: str) -> None:
    macros = Environment(loader=FileSystemLoader(PROJECT / "macros"), autoescape=True)
    module = macros.get_template("canonical_json.sql").module
    texts = [*NAMES, "", '"', "\\", "\x1e", "\x7f", "\ue000", "😀", "/", "é", "e\u0301"]
    keys = [(7, "data", a, b) for a in texts for b in texts]
    statement = f"""
        select {module.canonical_json("e", "r", "a", "p").unescape()},
            encode({module.tie_key("e", "r", "a", "p").unescape()}, 'hex')
        from unnest(%s::int[], %s::text[], %s::text[], %s::text[])
            with ordinality as t (e, r, a, p, n) order by n
    """
    with psycopg.connect(postgres) as connection:
        found = connection.execute(statement, [list(c) for c in zip(*keys, strict=True)]).fetchall()

    assert found == [(canonical_json(list(k)).decode(), canonical_hash(list(k))) for k in keys]


def test_columns__of_every_model_and_source__are_described(
    posting: tuple[int, Posting], settlement: Dbt, dsn: str
) -> None:
    manifest = settlement._manifest
    with psycopg.connect(dsn) as connection:
        columns = connection.execute(
            """
            select table_name, column_name from information_schema.columns
            where table_schema = 'rewards'
            """
        ).fetchall()
    models = {n.name: n for n in manifest.nodes.values() if n.resource_type == "model"}
    assert {table for table, _ in columns} == set(models)
    assert [
        (table, column)
        for table, column in columns
        if column not in models[table].columns or not models[table].columns[column].description
    ] == []
    described = [*models.values(), *manifest.sources.values(), *manifest.exposures.values()]
    assert [node.name for node in described if not node.description] == []
    assert [
        (source.name, column.name)
        for source in manifest.sources.values()
        for column in source.columns.values()
        if not column.description
    ] == []
    marts = [n for n in models.values() if "marts" in n.fqn]
    assert [node.name for node in marts if not node.contract.enforced] == []
    assert all(node.columns[c].data_type for node in marts for c in node.columns)


def test_build__twice__gives_the_same_rows(
    posting: tuple[int, Posting], settlement: Dbt, dsn: str
) -> None:
    before = rows(dsn, "rewards")

    settlement.run(posting[0], select=COMPUTING, full_refresh=True)

    assert rows(dsn, "rewards") == before


def test_build__analyst_with_a_login_of_his_own__has_all_and_changes_nothing_of_settlement(
    posting: tuple[int, Posting], dsn: str, tmp_path: Path
) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("drop role if exists reader_of_reports")
        connection.execute("create role reader_of_reports login password 'x'")
        connection.execute("grant distributary_analyst to reader_of_reports")
    url = urlsplit(dsn)
    login = url._replace(netloc=f"reader_of_reports:x@{url.hostname}:{url.port}").geturl()
    analyst = Dbt(login, tmp_path / "dbt", "analyst")
    before = rows(dsn, "rewards")

    built = analyst.build(unit_tests=True)
    analyst.run(full_refresh=True)

    assert any(node.kind == "unit_test" for node in built.tests)
    assert rows(dsn, "rewards") == before
    with psycopg.connect(dsn) as connection:
        assert read_lines(connection, posting[0], "reports") == compute_posting(posting[1]).lines

    impostor = Dbt(login, tmp_path / "impostor", "settlement")
    assert "permission denied to set role" in refusal(impostor, "run", posting_id=1).sentence
    with psycopg.connect(login, autocommit=True) as connection:
        for change in (
            "delete from rewards.fct_reward_lines",
            "drop table rewards.fct_leaves",
            "create table rewards.other ()",
            "insert into settlement.posted_leaves values (1, 0, '0x' || repeat('a', 40), 1)",
            "delete from settlement.in_accounts",
        ):
            with pytest.raises(
                psycopg.errors.InsufficientPrivilege, match=r"permission denied|must be owner"
            ):
                connection.execute(change)


def test_build__analyst_of_epochs_without_a_posting__assumes_that_all_is_paid(
    world: World, analyst: Dbt, dsn: str
) -> None:
    _, made = make_posting(world, SHAPE)

    analyst.run()

    epochs = [each.epoch for each in made.epochs]
    with psycopg.connect(dsn) as connection:
        found = connection.execute(
            """
            select epoch, is_provisional, charged_units > 0, funded_units = charged_units,
                rewards_units = charged_units, released_units
            from reports.rpt_epoch_statement where epoch = any(%s) order by epoch
            """,
            (epochs,),
        ).fetchall()
    assert found == [(epoch, True, True, True, True, 0) for epoch in epochs]


def test_build__a_later_attempt__leaves_nothing_of_the_earlier(
    world: World, settlement: Dbt, dsn: str
) -> None:
    first, made = store(world, Shape(9, 3, 15, 1000, 10**6))
    settlement.run(first, select=COMPUTING)
    begins, ends = made.manifest.from_epoch, made.manifest.to_epoch
    with psycopg.connect(dsn) as connection:
        connection.execute(
            """
            insert into settlement.postings_in
            select %s, from_epoch, to_epoch - 1, 9, pinned_block, grace_blocks,
                previous_cut_block, sha256('other')
            from settlement.postings_in where posting_id = %s
            """,
            (second := world.next_posting, first),
        )
        connection.execute(
            """
            insert into settlement.in_epochs
            select %s, epoch, cut_block, manifest_hash from settlement.in_epochs
            where posting_id = %s and epoch < %s
            """,
            (second, first, ends),
        )
    world.next_posting += 1

    settlement.run(second, select=COMPUTING)

    with psycopg.connect(dsn) as connection:
        assert read_lines(connection, first) == []
        assert read_leaves(connection, first) == []
        assert {line.epoch for line in read_lines(connection, second)} <= set(range(begins, ends))
        states = "select distinct state from rewards.fct_charges where posting_id = %s"
        # Nobody has deposited anything in this attempt, so everything waits.
        assert connection.execute(states, (second,)).fetchall() == [("carried",)]


def test_settlement__without_a_posting__is_refused(settlement: Dbt) -> None:
    with pytest.raises(DistributaryError, match="one posting at a time"):
        settlement.build()


def test_write_posting__again__changes_nothing_and_another_is_refused(
    world: World, posting: tuple[int, Posting], owner: psycopg.Connection
) -> None:
    number, made = posting
    owner.execute("set role distributary_settlement")
    write_posting(owner, number, made)

    _, other = make_posting(world, SHAPE)
    with pytest.raises(DistributaryError, match="another manifest"):
        write_posting(owner, number, other)


A, B = "0x" + "a" * 40, "0x" + "b" * 40
LEAVES = [Leaf(0, A, 10), Leaf(1, B, 20)]


def test_posted_leaves__again_and_growing__are_kept(
    posting: tuple[int, Posting], owner: psycopg.Connection
) -> None:
    owner.execute("set role distributary_settlement")
    first = posting[0]
    later = first + 1
    _later(owner, first, later)

    post_leaves(owner, first, LEAVES)
    post_leaves(owner, first, LEAVES[::-1])
    assert read_posted_leaves(owner) == (first, LEAVES)
    grown = [Leaf(0, A, 10), Leaf(0, B, 1), Leaf(1, B, 21)]
    post_leaves(owner, later, grown)
    assert read_posted_leaves(owner) == (later, grown)

    with pytest.raises(DistributaryError, match="posted leaves are others"):
        post_leaves(owner, later, LEAVES)


@pytest.mark.parametrize(
    "leaves",
    [[Leaf(0, A, 9), Leaf(1, B, 20)], [Leaf(0, A, 10)], [Leaf(0, A, 10), Leaf(0, B, 20)]],
)
def test_posted_leaves__one_shrinks_or_is_left_out__are_refused(
    posting: tuple[int, Posting], owner: psycopg.Connection, leaves: list[Leaf]
) -> None:
    _later(owner, posting[0], posting[0] + 1)
    post_leaves(owner, posting[0], LEAVES)

    with pytest.raises(psycopg.errors.RestrictViolation, match="would shrink"):
        post_leaves(owner, posting[0] + 1, leaves)


@pytest.mark.parametrize(
    "change",
    [
        "update settlement.posted_leaves set cumulative_units = 0",
        "delete from settlement.posted_leaves",
        "truncate settlement.posted_leaves",
        "update settlement.in_accounts set deposited_units = 0",
        "delete from settlement.in_carried",
        "update settlement.splits set data_bp = 0",
    ],
)
def test_inputs_and_posted_leaves__even_by_the_owner__are_never_changed(
    posting: tuple[int, Posting], owner: psycopg.Connection, change: str
) -> None:
    post_leaves(owner, posting[0], LEAVES)

    with pytest.raises(psycopg.errors.RestrictViolation, match="never changed or deleted"):
        owner.execute(change)


def _later(connection: psycopg.Connection, first: int, later: int) -> None:
    """A posting of epochs that are not recorded, if the number is free."""
    connection.execute(
        """
        insert into settlement.postings_in
        select %s, 100000, 100000, 1, pinned_block, grace_blocks, null, sha256('later')
        from settlement.postings_in where posting_id = %s
        on conflict do nothing
        """,
        (later, first),
    )


CORRUPTIONS = (
    "update rewards.fct_reward_lines set units = -units - 1 where posting_id = %(id)s",
    "update rewards.int_line_weights set weight = -1",
    "update rewards.int_answer_groups set split_hash = '\\x00'",
    """
    delete from rewards.fct_leaves where posting_id = %(id)s and kind = 1
        and address = (select max(account) from settlement.in_accounts where posting_id = %(id)s)
    """,
    """
    update rewards.fct_leaves set cumulative_units = case kind when 0 then 0 else 10 ^ 60 end
    where posting_id = %(id)s
    """,
    """
    insert into rewards.fct_leaves values (%(id)s, 0, 'unclaimed', 1)
    """,
    "delete from rewards.int_posting_epochs where epoch = to_epoch",
    """
    insert into settlement.in_corrections
    select %(id)s, to_epoch, 'refund', sha256('late'), '0x' || repeat('a', 40), '', 1, 'late'
    from settlement.postings_in where posting_id = %(id)s
    """,
    """
    insert into settlement.in_carried (posting_id, epoch, topic_id, partition, answer_offset,
        answered_at_ms, status, outcome, charge_units, request_topic_id, request_partition,
        request_offset, admitted_at_ms, account, source, id, request_hash, body_hash, key,
        signature, documents, weights)
    select %(id)s, epoch, 't', partition, answer_offset, 1, status, outcome, charge_units, 'r', 0,
        1, 1, account, source, id, request_hash, body_hash, key, signature, '{}', '{}'
    from answers where outcome = 'charged' and epoch = (
        select from_epoch from settlement.postings_in where posting_id = %(id)s
    )
    """,
    """
    insert into settlement.posted_leaves values (%(id)s, 1, '0x' || repeat('a', 40), 1)
    """,
    """
    insert into rewards.fct_reward_lines
    values (%(id)s, 1000000, 'node', 'x', '', '0x' || repeat('b', 40), -9, null, false)
    """,
    "insert into chain_blocks values (1, sha256('1'), sha256('0'), 1)",
    """
    insert into chain_events values
        (1, 0, sha256('t'), 'Claimed', '0x' || repeat('b', 40), 5, '{"cumulative": "5"}')
    """,
)


def test_tests__everything_is_wrong__each_fails_by_name(
    world: World, settlement: Dbt, dsn: str
) -> None:
    number, _ = build(world, settlement, Shape(1, 2, 30, 1000, 10**4))
    with psycopg.connect(dsn) as connection:
        for corruption in CORRUPTIONS:
            assert connection.execute(corruption, {"id": number}).rowcount, corruption

    error = refusal(settlement, "test", "--select", "test_type:singular", posting_id=number)

    expected = {path.stem for path in (PROJECT / "tests").glob("*.sql")}
    assert set(str(error.value).split(", ")) == expected
