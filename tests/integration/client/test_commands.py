"""The commands account, send, quote and tail, as a user calls them."""

import json
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from distributary.cli.main import main
from distributary.settings import Settings
from tests.integration.client.responder import Responder


@dataclass(frozen=True)
class Result:
    """What a command returned and printed."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        assert self.code == 0, self
        return json.loads(self.out)


Run = Callable[..., Result]


@pytest.fixture
def run(
    registered: Settings, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Run:
    """Runs a command in this process, with the settings in its environment."""
    for name in ("home", "kafka", "postgres", "topic_prefix"):
        monkeypatch.setenv(f"DISTRIBUTARY_{name.upper()}", str(getattr(registered, name)))

    def call(*arguments: object) -> Result:
        monkeypatch.setattr(sys, "argv", ["distributary", *map(str, arguments)])
        code: Any = 0
        try:
            main()
        except SystemExit as left:
            code = left.code or 0
        captured = capsys.readouterr()
        return Result(int(code), captured.out, captured.err)

    return call


@pytest.fixture
def payer(run: Run) -> str:
    """The address of the local account `payer`."""
    return str(run("account", "create", "payer", "--credit", 10**18, "--json").json["account"])


@pytest.fixture
def questions(tmp_path: Path) -> Path:
    """A file of three requests."""
    path = tmp_path / "questions.jsonl"
    path.write_text("".join(f'{{"prompt": "{n}?", "model": "simulated"}}\n' for n in range(3)))
    return path


def test_account_show__after_create_and_grant__tells_the_credit(run: Run, payer: str) -> None:
    granted = run("account", "grant", "payer", 5, "--note", "trial", "--json").json

    (shown,) = run("account", "show", "--json").json

    assert granted["account"] == payer
    assert shown["name"] == "payer"
    assert shown["account"] == payer
    assert shown["credit_units"] == str(10**18 + 5)
    assert shown["credit_source"] == "grant"
    assert "private" not in json.dumps(shown)
    assert "payer" in run("account", "show").out


def test_account_show__an_address_unknown_here__is_refused_in_one_line(run: Run) -> None:
    result = run("account", "show", "0x" + "d" * 40)

    assert result.code == 3
    assert "unknown_account" in result.err
    assert len(result.err.strip().splitlines()) == 1


def test_account_authorize__a_new_key__signs_from_now_on(
    run: Run, payer: str, responder: Responder
) -> None:
    made = run("account", "authorize", "payer", "--days", 3, "--json").json
    run("send", "Why?", "--model", "simulated", "--max-charge", 10)

    assert json.loads(responder.values[0])["key"] == made["session_key"]


def test_account_erase__asked_and_declined__erases_nothing(
    run: Run, payer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("typer.confirm", _declined)

    assert run("account", "erase", "payer").code == 1
    assert run("account", "show", "--json").json[0]["erased_at"] is None


def _declined(_question: str, *, abort: bool, err: bool) -> None:
    import typer

    assert abort
    raise typer.Abort


def test_account_erase__confirmed__ends_the_account(run: Run, payer: str) -> None:
    assert run("account", "erase", "payer", "--yes", "--json").json["texts_erased"] == 0
    assert run("account", "show", "payer", "--json").json[0]["erased_at"] is not None
    assert "account_erased" in run("account", "authorize", "payer").err


def test_send__a_prompt__prints_the_answer_and_its_charge(
    run: Run, payer: str, responder: Responder
) -> None:
    result = run("send", "Why?", "--model", "simulated")

    assert result.code == 0
    assert "echo Why?" in result.out
    assert "charge_units" in result.out
    assert result.err == ""


def test_send__without_a_maximum__signs_what_quote_says(
    run: Run, payer: str, responder: Responder
) -> None:
    asked = ("--model", "simulated", "--datanet", "wiki", "--max-tokens", 9)
    quoted = run("quote", "Why?", *asked, "--json").json
    run("send", "Why?", *asked)

    sent = json.loads(responder.values[0])
    assert sent["max_charge_units"] == quoted["charge_units_max"]
    assert sent["body"]["datanet"] == "wiki"
    assert sent["body"]["settings"] == {"max_tokens": 9}


def test_send__the_same_prompt_twice__buys_twice(
    run: Run, payer: str, responder: Responder
) -> None:
    given = ("send", "Why?", "--model", "simulated", "--max-charge", 10, "--json")

    answers = [run(*given).json for _ in range(2)]

    assert [a["status"] for a in answers] == ["executed", "executed"]
    assert answers[0]["request_hash"] != answers[1]["request_hash"]


def test_send__refused__is_one_line_with_the_code(
    run: Run, payer: str, responder: Responder
) -> None:
    refusal = {"status": "refused", "code": "unknown_datanet", "sentence": "No such datanet."}
    responder.judge = lambda _request, _seen: [refusal]

    result = run("send", "Why?", "--model", "simulated", "--max-charge", 10)

    assert result.code == 3
    assert "unknown_datanet: No such datanet." in result.err
    assert len(result.err.strip().splitlines()) == 1


def test_send__a_file_repeated__sends_identical_bytes_and_buys_nothing(
    run: Run, payer: str, responder: Responder, questions: Path
) -> None:
    first = run("send", "--file", questions, "--max-charge", 10, "--json").json
    sent = sorted(responder.values)
    second = run("send", "--file", questions, "--max-charge", 10, "--json").json

    assert first["by_result"] == {"executed": 3}
    assert first["charge_units"] == "21"
    assert [a["text"] for a in first["answers"]] == ["echo 0?", "echo 1?", "echo 2?"]
    assert not first["repeated"]
    assert second["by_result"] == {"replayed": 3}
    assert second["charge_units"] == "0"
    assert second["repeated"]
    assert sorted(responder.values) == sorted(sent * 2)


def test_send__a_run_interrupted__buys_only_the_rest(
    run: Run, payer: str, responder: Responder, questions: Path
) -> None:
    honest = responder.judge
    busy = {"status": "refused", "code": "node_failed", "sentence": "No node."}
    responder.judge = lambda request, seen: (
        [busy] if request.body["prompt"] == "1?" else honest(request, seen)
    )
    given = ("send", "--file", questions, "--max-charge", 10, "--json")
    first = run(*given)
    responder.judge = lambda request, seen: (
        honest(request, 1) if request.body["prompt"] == "1?" else honest(request, seen)
    )

    assert first.code == 1
    assert json.loads(first.out)["by_result"] == {"executed": 2, "node_failed": 1}
    assert run(*given).json["by_result"] == {"executed": 1, "replayed": 2}


def test_send__a_bad_line__is_named_and_nothing_is_sent(
    run: Run, payer: str, responder: Responder, questions: Path
) -> None:
    questions.write_text(questions.read_text() + '{"prompt": ""}\n')

    result = run("send", "--file", questions)

    assert result.code == 3
    assert "questions.jsonl, line 4" in result.err
    assert responder.values == []
    assert [p.name for p in questions.parent.glob("*.jsonl")] == ["questions.jsonl"]


def test_send__a_line_too_large__is_named_and_nothing_is_sent(
    run: Run, payer: str, responder: Responder, questions: Path
) -> None:
    questions.write_text(questions.read_text() + json.dumps({"prompt": "x" * 300_000}) + "\n")

    result = run("send", "--file", questions, "--max-charge", 10)

    assert "oversize" in result.err
    assert "line 4" in result.err
    assert responder.values == []


def test_send__a_tampered_run_file__is_refused_and_nothing_is_sent(
    run: Run, payer: str, responder: Responder, questions: Path
) -> None:
    run("send", "--file", questions, "--max-charge", 10)
    responder.values.clear()
    kept = questions.with_name("questions.jsonl.run.jsonl")
    kept.write_text(kept.read_text().replace("1?", "9?"))

    result = run("send", "--file", questions, "--max-charge", 10)

    assert result.code == 3
    assert "line 3" in result.err
    assert responder.values == []


@pytest.mark.parametrize("change", ["input", "maximum"])
def test_send__a_run_file_of_something_else__is_refused(
    run: Run, payer: str, responder: Responder, questions: Path, change: str
) -> None:
    run("send", "--file", questions, "--max-charge", 10)
    if change == "input":
        questions.write_text('{"prompt": "else", "model": "simulated"}\n')

    result = run("send", "--file", questions, "--max-charge", 11 if change == "maximum" else 10)

    assert result.code == 3
    assert "other_run" in result.err


@pytest.mark.parametrize("given", [(), ("Why?", "--file", "q.jsonl")])
def test_send__neither_or_both__is_a_usage_error(run: Run, given: tuple[str, ...]) -> None:
    assert run("send", *given).code == 2


def test_send__no_account_here__says_what_to_do(run: Run) -> None:
    result = run("send", "Why?")

    assert result.code == 3
    assert "account create" in result.err


def test_send__several_accounts__asks_which(run: Run, payer: str) -> None:
    run("account", "create", "second")

    assert "--account" in run("send", "Why?").err


def test_send__a_key_file_that_others_can_read__is_refused_by_name(
    run: Run, payer: str, registered: Settings
) -> None:
    (registered.home / "keys" / "payer.session.json").chmod(0o644)

    result = run("send", "Why?", "--account", "payer")

    assert result.code == 3
    assert "payer.session.json" in result.err


def test_send__no_answer_in_time__says_so(run: Run, payer: str) -> None:
    result = run("send", "Why?", "--model", "simulated", "--max-charge", 10, "--timeout", 0.2)

    assert result.code == 4
    assert "timed_out" in result.err


def test_quote__a_file__sums_up(run: Run, questions: Path) -> None:
    one = run("quote", "0?", "--model", "simulated", "--json").json
    three = run("quote", "--file", questions, "--json").json

    assert three["requests"] == 3
    assert int(three["charge_units_max"]) == 3 * int(one["charge_units_max"])


def test_quote__an_unknown_model__is_one_line(run: Run) -> None:
    result = run("quote", "Why?", "--model", "none")

    assert result.code == 3
    assert "unknown_model" in result.err


def test_tail__filtered__prints_a_line_of_json_for_each(
    run: Run, payer: str, responder: Responder, questions: Path
) -> None:
    run("send", "--file", questions, "--max-charge", 10)
    run("send", "--file", questions, "--max-charge", 10)

    given = ("tail", "--from-start", "--account", "payer", "--status", "replayed", "-n", 3)
    lines = [json.loads(line) for line in run(*given, "--json").out.splitlines()]

    assert [line["answer"]["status"] for line in lines] == ["replayed"] * 3
    assert {line["answer"]["account"] for line in lines} == {payer}
    assert "echo 1?" in run(*given).out


def test_tail__an_unknown_status__is_a_usage_error(run: Run) -> None:
    assert run("tail", "--status", "lost").code == 2
