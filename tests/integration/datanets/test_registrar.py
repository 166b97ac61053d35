import os
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from psycopg import Connection

from distributary.datanets import reading, registering
from distributary.datanets.changes import Added, Registrar
from distributary.datanets.documents import Document, make_document
from distributary.datanets.manifests import read_manifest, read_pointer
from distributary.datanets.retrieval import Retriever
from distributary.errors import InputError
from distributary.store import connect, migrate, owners, shingles
from distributary.store import datanets as store
from tests.honest_texts import honest_text

PAYEE = "0x" + "1" * 40
STEPS_MAX = 300


class Crash(BaseException):
    """The process dies here."""


def build_attribution(documents: list[tuple[str, str]], out: Path, manifest_hash: str) -> None:
    out.mkdir()


@pytest.fixture
def dsn(fresh_database: Callable[[], str]) -> str:
    uri = fresh_database()
    migrate(uri)
    return uri


@pytest.fixture
def connection(dsn: str) -> Iterator[Connection]:
    with connect(dsn) as opened:
        yield opened


@pytest.fixture
def registrar(connection: Connection, tmp_path: Path) -> Registrar:
    return Registrar(connection, tmp_path, build_attribution)


def documents(*texts: str, owner: str = "author") -> list[Document]:
    return [make_document(text, owner, "MIT") for text in texts]


def code_of(change: Callable[..., object], *arguments: object) -> str:
    with pytest.raises(InputError) as caught:
        change(*arguments)
    return caught.value.code


def test_add_documents__new_datanet__registered_and_served(
    registrar: Registrar, connection: Connection, tmp_path: Path
) -> None:
    added = registrar.add_documents("a", documents("a heron", "a fish"))
    assert (added.documents, added.added, added.already_there) == (2, 2, 0)
    assert read_pointer(tmp_path, "a") == added.manifest
    manifest = read_manifest(tmp_path, "a", added.manifest)
    assert list(manifest.documents) == store.datanet_entries(connection, "a")
    assert Retriever(tmp_path).retrieve("a", "heron", 1).passages[0].text == "a heron"
    (row,) = connection.execute("select manifest, name, documents, bytes from manifests").fetchall()
    assert row == (added.manifest, "a", 2, 13)


def test_add_documents__repeated__same_manifest_and_nothing_added(registrar: Registrar) -> None:
    first = registrar.add_documents("a", documents("a heron", "a fish"))
    again = registrar.add_documents("a", documents("a fish", "a heron", "a fish"))
    assert again.manifest == first.manifest
    assert (again.added, again.already_there) == (0, 2)


def test_add_documents__content_of_another_owner__left_out_and_reported(
    registrar: Registrar, connection: Connection
) -> None:
    registrar.add_documents("a", documents("a heron", owner="author"))
    (heron, fish) = documents("a heron", "a fish", owner="copyist")
    added = registrar.add_documents("b", [heron, fish])
    assert added.owned_by_others == ((heron.hash, "author", "copyist"),)
    assert (added.documents, added.added) == (1, 1)
    assert store.registered(connection, [heron.hash])[heron.hash].owner == "author"


def test_add_documents__one_content_by_two_owners_at_once__the_first_owns_it(
    registrar: Registrar, connection: Connection
) -> None:
    both = documents("a heron", owner="zoologist") + documents("a heron", owner="author")
    added = registrar.add_documents("a", both)
    assert (added.added, len(added.owned_by_others)) == (1, 1)
    assert [row.owner for row in owners.list_owners(connection)] == ["zoologist"]


def test_add_documents__removed_content__still_its_first_owners(registrar: Registrar) -> None:
    registrar.add_documents("a", documents("a heron"))
    registrar.remove_datanet("a")
    added = registrar.add_documents("a", documents("a heron", owner="copyist"))
    assert (added.documents, len(added.owned_by_others)) == (0, 1)


def test_add_documents__over_the_limit_with_what_is_there__nothing_registered(
    registrar: Registrar, connection: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = registrar.add_documents("a", documents("a heron", "a fish"))
    monkeypatch.setattr(reading, "DATANET_DOCUMENTS_MAX", 2)
    more = documents("a delta")
    assert code_of(registrar.add_documents, "a", more) == "too_many_documents"
    assert store.registered(connection, [more[0].hash]) == {}
    monkeypatch.undo()
    assert registrar.add_documents("a", []).manifest == first.manifest


def test_add_documents__bad_name__refused(registrar: Registrar) -> None:
    assert code_of(registrar.add_documents, "../a", documents("x")) == "bad_datanet_name"


def test_remove_documents__by_prefix__gone_from_the_state_not_from_the_registry(
    registrar: Registrar, connection: Connection, tmp_path: Path
) -> None:
    heron, fish = documents("a heron", "a fish")
    old = registrar.add_documents("a", [heron, fish])
    removed = registrar.remove_documents("a", [heron.hash[:8], heron.hash])
    assert (removed.removed, removed.documents) == (1, 1)
    assert Retriever(tmp_path).retrieve("a", "heron", 1).passages == ()
    assert heron.hash in store.registered(connection, [heron.hash])
    assert len(read_manifest(tmp_path, "a", old.manifest).documents) == 2
    assert registrar.add_documents("a", [heron]).manifest == old.manifest


@pytest.mark.parametrize("prefix", ["", "1234567", "0" * 64, "%", "x" * 8])
def test_remove_documents__not_there__refused(registrar: Registrar, prefix: str) -> None:
    registrar.add_documents("a", documents("a heron"))
    assert code_of(registrar.remove_documents, "a", [prefix]) == "unknown_document"


def test_remove__unknown_datanet__refused(registrar: Registrar) -> None:
    assert code_of(registrar.remove_documents, "a", ["0" * 64]) == "unknown_datanet"
    assert code_of(registrar.remove_datanet, "a") == "unknown_datanet"


def test_remove_datanet__there__out_of_service_and_unlisted(
    registrar: Registrar, connection: Connection, tmp_path: Path
) -> None:
    registrar.add_documents("a", documents("a heron"))
    assert registrar.remove_datanet("a").removed == 1
    assert read_pointer(tmp_path, "a") is None
    assert store.list_datanets(connection) == []


def test_bind_owner__again_and_to_another__first_binding_stands(
    registrar: Registrar, connection: Connection
) -> None:
    registrar.add_documents("a", documents("a heron"))
    assert code_of(owners.bind_owner, connection, "nobody", PAYEE) == "unknown_owner"
    assert owners.bind_owner(connection, "author", PAYEE) is True
    assert owners.bind_owner(connection, "author", PAYEE) is False
    other = PAYEE.replace("1", "2")
    assert code_of(owners.bind_owner, connection, "author", other) == "already_bound"
    assert [row.payee for row in owners.list_owners(connection)] == [PAYEE]


@pytest.mark.parametrize(
    "statement",
    [
        "update documents set owner_id = owner_id",
        "delete from documents",
        "delete from payee_bindings",
        "update payee_bindings set payee = '0x2222222222222222222222222222222222222222'",
        "update owners set label = 'thief'",
        "truncate manifests",
        "delete from shingles",
    ],
)
def test_registry__ownership_rewritten_by_hand__refused(
    registrar: Registrar, connection: Connection, statement: str
) -> None:
    registrar.add_documents("a", documents("a heron"))
    with pytest.raises(psycopg.errors.RaiseException, match="never changed"):
        connection.execute(statement)


def test_add_documents__two_processes_same_contents__one_owner_each_and_both_served(
    dsn: str, tmp_path: Path, connection: Connection
) -> None:
    texts = [f"text number {number}" for number in range(200)]
    failures: list[BaseException] = []

    def add(owner: str, given: list[str]) -> None:
        try:
            with connect(dsn) as own:
                registrar = Registrar(own, tmp_path, build_attribution)
                registrar.add_documents(owner, documents(*given, owner=owner))
        except BaseException as error:
            failures.append(error)

    threads = [
        threading.Thread(target=add, args=("first", texts)),
        threading.Thread(target=add, args=("second", texts[::-1])),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    counts = {row.name: row.documents for row in store.list_datanets(connection)}
    assert counts.keys() == {"first", "second"}
    assert sum(counts.values()) == len(texts)


def test_add_documents__busy_datanet__refused_after_a_limit(
    registrar: Registrar, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(store, "LOCK_WAIT_MS_MAX", 50)
    with connect(dsn) as other, store.datanet_lock(other, "a"):
        assert code_of(registrar.add_documents, "a", documents("x")) == "datanet_busy"
        assert registrar.add_documents("b", documents("x")).added == 1
    assert registrar.add_documents("a", []).documents == 0


def left_out(added: Added) -> list[tuple[str, str, str]]:
    return [(copy.owner, *copy.originals[0]) for copy in added.near_copies]


def test_add_documents__near_copy_of_another_owner__left_out_and_reported_with_its_original(
    registrar: Registrar, connection: Connection
) -> None:
    original, own = honest_text(1), honest_text(2)
    (heron,) = documents(original, owner="author")
    registrar.add_documents("a", [heron])
    copy = make_document(original.upper().replace(" ", "\n"), "copyist", "MIT", "Herons")
    added = registrar.add_documents("b", [copy, *documents(own, owner="copyist")])
    assert (added.documents, added.added, added.owned_by_others) == (1, 1, ())
    (found,) = added.near_copies
    assert (found.document, found.title, found.owner) == (copy.hash, "Herons", "copyist")
    assert (found.percent, found.originals) == (100, ((heron.hash, "author"),))
    assert store.registered(connection, [copy.hash]) == {}


def test_add_documents__near_copies_in_one_batch__the_first_given_wins(
    registrar: Registrar,
) -> None:
    text = honest_text(1)
    both = documents(text, owner="zoologist") + documents(text.upper(), owner="author")
    assert left_out(registrar.add_documents("a", both)) == [("author", both[0].hash, "zoologist")]


def test_add_documents__own_edition__added_and_a_copy_of_it_left_out(registrar: Registrar) -> None:
    first, second = honest_text(1), f"{honest_text(1)} {honest_text(2)}"
    registrar.add_documents("a", documents(first))
    added = registrar.add_documents("a", documents(second))
    assert (added.added, added.near_copies) == (1, ())
    copied = registrar.add_documents("b", documents(honest_text(2), owner="copyist"))
    assert left_out(copied) == [("copyist", documents(second)[0].hash, "author")]


def test_add_documents__text_left_out__registers_nothing_and_its_author_may(
    registrar: Registrar, connection: Connection
) -> None:
    registrar.add_documents("a", documents(honest_text(1)))
    edition = f"{honest_text(1)} {honest_text(2, sentences=3)}"
    (stolen,) = documents(edition, owner="copyist")
    before = connection.execute("select count(*) from shingles").fetchone()
    assert left_out(registrar.add_documents("a", [stolen]))[0][0] == "copyist"
    assert connection.execute("select count(*) from shingles").fetchone() == before
    (own,) = documents(edition)
    added = registrar.add_documents("a", [stolen, own])
    assert left_out(added)[0][0] == "copyist"
    assert (added.added, added.owned_by_others) == (1, ())
    assert store.registered(connection, [own.hash])[own.hash].owner == "author"
    later = registrar.add_documents("b", documents(honest_text(2, sentences=3), owner="copyist"))
    assert left_out(later) == [("copyist", own.hash, "author")]


def test_add_documents__removed_datanet__its_near_copies_are_still_left_out(
    registrar: Registrar,
) -> None:
    registrar.add_documents("a", documents(honest_text(1)))
    registrar.remove_datanet("a")
    added = registrar.add_documents("a", documents(honest_text(1).title(), owner="copyist"))
    assert (added.documents, len(added.near_copies)) == (0, 1)


def test_add_documents__batch_of_one_owner_permuted__same_documents_and_shingles(
    fresh_database: Callable[[], str], tmp_path: Path
) -> None:
    texts = [honest_text(number) for number in range(6)] + [honest_text(1).upper(), "A short one."]
    ends = []
    for number, order in enumerate((texts, texts[::-1])):
        uri = fresh_database()
        migrate(uri)
        with connect(uri) as own:
            registrar = Registrar(own, tmp_path / str(number), build_attribution)
            registrar.add_documents("a", documents(honest_text(0), owner="other"))
            added = registrar.add_documents("a", documents(*order))
            found = own.execute("select shingle from shingles order by shingle").fetchall()
            ends.append((added.manifest, {copy.document for copy in added.near_copies}, found))
    assert ends[0] == ends[1]


def test_add_documents__in_small_batches__same_as_in_one(
    registrar: Registrar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registering, "BATCH_BYTES_MAX", 1)
    monkeypatch.setattr(shingles, "LOOKED_UP_MAX", 7)
    both = documents(honest_text(1), honest_text(2)) + documents(
        honest_text(2).upper(), honest_text(3), owner="copyist"
    )
    added = registrar.add_documents("a", both)
    assert (added.added, left_out(added)) == (3, [("copyist", both[1].hash, "author")])


def test_add_documents__two_processes_near_copies__one_of_each_is_the_first(
    dsn: str, tmp_path: Path, connection: Connection
) -> None:
    texts = [honest_text(number) for number in range(30)]
    failures: list[BaseException] = []
    added: dict[str, Added] = {}

    def add(owner: str, given: list[str]) -> None:
        try:
            with connect(dsn) as own:
                registrar = Registrar(own, tmp_path, build_attribution)
                added[owner] = registrar.add_documents(owner, documents(*given, owner=owner))
        except BaseException as error:
            failures.append(error)

    upper = [text.upper() for text in texts[::-1]]
    given = {"first": texts, "second": upper}
    threads = [threading.Thread(target=add, args=pair) for pair in given.items()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert sorted(one.added for one in added.values()) == [0, len(texts)]
    assert sum(len(one.near_copies) for one in added.values()) == len(texts)


def test_add_documents__registry_busy__refused_after_a_limit(
    registrar: Registrar, dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shingles, "LOCK_WAIT_MS_MAX", 50)
    with connect(dsn) as other:
        shingles.lock_registry(other)
        assert code_of(registrar.add_documents, "a", documents("x")) == "registry_busy"
    assert registrar.add_documents("a", documents("x")).added == 1


def crash_at(patch: pytest.MonkeyPatch, step: int) -> None:
    """Lets the process die just before its `step`-th effect on the disk or the registry."""
    left = step

    def dying(effect: Callable[..., object]) -> Callable[..., object]:
        def act(*arguments: object, **options: object) -> object:
            nonlocal left
            left -= 1
            if left < 0:
                raise Crash
            return effect(*arguments, **options)

        return act

    for name in ("mkdir", "fsync", "replace", "rename", "unlink"):
        patch.setattr(os, name, dying(getattr(os, name)))
    patch.setattr(Connection, "execute", dying(Connection.execute))
    patch.setattr(Connection, "commit", dying(Connection.commit))
    patch.setattr(Connection, "rollback", dying(Connection.rollback))


@pytest.mark.parametrize("change", ["add", "remove", "remove_all"])
def test_registrar__killed_before_any_effect__old_state_is_served_and_a_second_run_completes(
    dsn: str, tmp_path: Path, change: str
) -> None:
    heron, fish = documents("a heron", "a fish")

    def run(lake: Path, name: str) -> None:
        with closing(connect(dsn)) as own:
            registrar = Registrar(own, lake, build_attribution)
            if change == "add":
                registrar.add_documents(name, [heron, fish])
            elif change == "remove":
                registrar.remove_documents(name, [heron.hash])
            else:
                registrar.remove_datanet(name)

    expected = {"add": {heron.hash, fish.hash}, "remove": {fish.hash}, "remove_all": None}[change]
    for step in range(STEPS_MAX):
        lake, name = tmp_path / str(step), f"net-{change.replace('_', '-')}-{step}"
        with connect(dsn) as own:
            before = [heron] if change == "add" else [heron, fish]
            old = Registrar(own, lake, build_attribution).add_documents(name, before)
        with pytest.MonkeyPatch.context() as patch:
            crash_at(patch, step)
            try:
                run(lake, name)
            except Crash:
                pass
            else:
                break
        if read_pointer(lake, name) == old.manifest:
            assert len(Retriever(lake).retrieve(name, "heron", 1).passages) == 1
        try:
            run(lake, name)
        except InputError as error:  # the first run had done its part
            assert error.code in ("unknown_document", "unknown_datanet")  # noqa: PT017
        current = read_pointer(lake, name)
        served = current and {e.document for e in read_manifest(lake, name, current).documents}
        assert served == expected
    else:
        pytest.fail("It never ran through.")
    assert step > 5
