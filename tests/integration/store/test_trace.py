"""Tracing a request, by function and by command."""

import json
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner

from distributary.answers import Status
from distributary.cli.main import app
from distributary.errors import InputError
from distributary.recording.records import Lane
from distributary.store.commit import Committer
from distributary.trace import trace
from tests.signed_answers import DOCUMENTS, Customer, batch, bundle

Connection = psycopg.Connection[Any]


@pytest.fixture
def answer(
    owner: Connection, connection: Connection, committer: Committer, lane: Lane
) -> dict[str, str]:
    """One request, executed and replayed, on record."""
    owner.execute("insert into owners (label) values ('author')")
    for document in DOCUMENTS:
        owner.execute(
            "insert into documents (document, owner_id, bytes, title) values (%s, 1, 1, '')",
            (document,),
        )
    executed = Customer().answer(7)
    replayed = executed._replace(status=Status.REPLAYED, offset=8)
    committer.commit(connection, bundle(batch(lane, 0, [executed, replayed])))
    return {
        "hash": executed.request_hash,
        "identity": f"{executed.account}/{executed.source}/{executed.id}",
    }


@pytest.mark.parametrize("name", ["hash", "identity"])
def test_trace__request_on_record__leads_to_offset_weights_file_and_epoch(
    owner: Connection, committer: Committer, answer: dict[str, str], name: str
) -> None:
    executed, replayed = trace(owner, committer.lake, answer[name])

    assert (executed["request_offset"], executed["answer_offset"], executed["epoch"]) == (7, 0, 1)
    assert [each["document"] for each in executed["weights"]] == list(DOCUMENTS)
    assert {each["owner"] for each in executed["weights"]} == {"author"}
    assert sum(each["weight"] for each in executed["weights"]) + executed["commons"] == 10**9
    assert executed["file"]["path"] == str(committer.lake / "answers/00000001/0.parquet")
    assert (replayed["outcome"], replayed["reason"]) == ("uncharged", "replayed")


@pytest.mark.parametrize("name", ["0" * 64, "0x" + "1" * 40 + "/test/nobody"])
def test_trace__unknown_request__says_so(
    owner: Connection, committer: Committer, answer: dict[str, str], name: str
) -> None:
    with pytest.raises(InputError, match="Nothing is committed"):
        trace(owner, committer.lake, name)


@pytest.mark.parametrize("name", ["", "xyz", "0x12/test/1", "0x" + "1" * 40 + "/id-only"])
def test_trace__neither_hash_nor_identity__is_a_mistake_of_the_user(
    owner: Connection, committer: Committer, name: str
) -> None:
    with pytest.raises(InputError):
        trace(owner, committer.lake, name)


def test_command__json__prints_what_the_table_shows(
    dsn: str, committer: Committer, answer: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISTRIBUTARY_POSTGRES", dsn)
    monkeypatch.setenv("DISTRIBUTARY_LAKE", str(committer.lake))

    as_json = CliRunner().invoke(app, ["trace", answer["hash"], "--json"])
    as_table = CliRunner().invoke(app, ["trace", answer["hash"]])

    assert [each["status"] for each in json.loads(as_json.stdout)] == ["executed", "replayed"]
    assert as_table.exit_code == 0
    assert "author" in as_table.stdout


def test_epoch_commands__show_close_list__agree(
    dsn: str, committer: Committer, answer: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DISTRIBUTARY_POSTGRES", dsn)
    monkeypatch.setenv("DISTRIBUTARY_LAKE", str(committer.lake))

    def run(*arguments: str) -> Any:
        result = CliRunner().invoke(app, ["epoch", *arguments, "--json"], catch_exceptions=False)
        return json.loads(result.stdout)

    shown = run("show")
    assert shown["books_agree"] is True
    assert shown["counts"]["records"] == shown["committed"] == 2
    closed = run("close")
    assert closed["epoch"] == 1
    assert [each["state"] for each in run("list")] == ["closed", "open"]
    assert run("open") == {"epoch": 2, "opened": False}
    for command in ("show", "list", "close"):
        assert CliRunner().invoke(app, ["epoch", command]).exit_code == 0
