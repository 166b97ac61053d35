import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from distributary.attribution.files import digest
from distributary.cli.main import main
from distributary.datanets.manifests import index_folder
from distributary.datanets.retrieval import Retriever
from distributary.settings import load_settings
from distributary.store import migrate

PAYEE = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(
    fresh_database: Callable[[], str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Run:
    """Runs `distributary` with these arguments; gives exit code, stdout and stderr."""
    dsn = fresh_database()
    migrate(dsn)
    cache = load_settings().cache
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DISTRIBUTARY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("DISTRIBUTARY_CACHE", str(cache))
    monkeypatch.setenv("DISTRIBUTARY_POSTGRES", dsn)
    monkeypatch.setenv("COLUMNS", "200")

    def act(*arguments: str | Path) -> tuple[int, str, str]:
        monkeypatch.setattr(sys, "argv", ["distributary", *map(str, arguments)])
        code: object = 0
        try:
            main()
        except SystemExit as stop:
            code = stop.code
        written = capsys.readouterr()
        return int(str(code or 0)), written.out, written.err

    return act


def result(outcome: tuple[int, str, str]) -> Any:
    assert outcome[0] == 0, outcome
    return json.loads(outcome[1])


def test_datanet_commands__a_corpus__added_listed_shown_bound_and_removed(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "heron.md").write_text("# Heron\n\nThe heron waits for fish.")
    lines = [{"text": "Bread rises.", "owner": "[bold]baker", "licence": "CC0-1.0"}]
    (tmp_path / "more.jsonl").write_text("\n".join(map(json.dumps, lines)))
    options = ("--owner", "A. Author", "--licence", "MIT")
    added = result(run("datanet", "add", "birds", "heron.md", "more.jsonl", *options, "--json"))
    assert (added["added"], added["documents"]) == (2, 2)

    listed = result(run("datanet", "list", "--json"))
    assert [(row["name"], row["manifest"]) for row in listed] == [("birds", added["manifest"])]
    shown = result(run("datanet", "show", "birds", "--json"))
    assert {row["owner"] for row in shown["documents"]} == {"A. Author", "[bold]baker"}

    bound = result(run("owner", "bind", "A. Author", PAYEE, "--json"))
    assert bound == {"owner": "A. Author", "payee": PAYEE.lower(), "new": True}
    owner = result(run("owner", "show", "A. Author", "--json"))
    assert (owner["payee"], owner["datanets"]) == (PAYEE.lower(), {"birds": 1})
    assert len(result(run("owner", "list", "--datanet", "birds", "--json"))) == 2

    for words in (("datanet", "list"), ("datanet", "show", "birds"), ("owner", "list")):
        code, out, _ = run(*words)
        assert code == 0
        assert "birds" in out or "[bold]baker" in out

    heron = next(row for row in shown["documents"] if row["owner"] == "A. Author")
    removed = result(run("datanet", "remove", "birds", heron["document"], "--json"))
    assert (removed["removed"], removed["documents"]) == (1, 1)
    assert result(run("datanet", "remove", "birds", "--json"))["manifest"] is None
    assert result(run("datanet", "list", "--json")) == []


def test_datanet_add__real_indexes__complete_and_reproducible(run: Run, tmp_path: Path) -> None:
    for number in range(30):
        (tmp_path / f"{number}.txt").write_text(f"The heron number {number} waits for fish.")
    arguments = ("datanet", "add", "birds", ".", "--owner", "A", "--licence", "MIT", "--json")
    added = result(run(*arguments))
    lake = tmp_path / "home" / "lake"
    folder = index_folder(lake, "birds", added["manifest"])
    described = json.loads((folder / "attribution" / "index.json").read_text())
    assert (described["documents"], described["manifest"]) == (30, added["manifest"])
    for name, hash_ in described["files"].items():
        assert digest(folder / "attribution" / name) == hash_
    first = {p.relative_to(folder): digest(p) for p in folder.rglob("*") if p.is_file()}
    # A lost index is built again, to the byte.
    folder.rename(tmp_path / "lost")
    assert result(run(*arguments))["added"] == 0
    again = {p.relative_to(folder): digest(p) for p in folder.rglob("*") if p.is_file()}
    assert again == first
    found = Retriever(lake).retrieve("birds", "heron 17", 1)
    assert found.passages[0].text == "The heron number 17 waits for fish."


def test_datanet_add__one_bad_file__one_line_names_it_and_nothing_is_registered(
    run: Run, tmp_path: Path
) -> None:
    (tmp_path / "good.txt").write_text("fine")
    (tmp_path / "latin.txt").write_bytes(b"caf\xe9")
    code, out, err = run("datanet", "add", "a", ".", "--owner", "A", "--licence", "MIT")
    assert (code, out) == (3, "")
    assert err.count("\n") == 1
    assert "not_utf8" in err
    assert "latin.txt" in err
    assert result(run("datanet", "list", "--json")) == []
    assert result(run("owner", "list", "--json")) == []


@pytest.mark.parametrize(
    ("arguments", "exit_code", "expected"),
    [
        (("datanet", "show", "missing"), 3, "unknown_datanet"),
        (("datanet", "show", "Bad/Name"), 3, "bad_datanet_name"),
        (("datanet", "add", "Bad/Name", "."), 3, "bad_datanet_name"),
        (("datanet", "add", "a", "missing.txt"), 3, "no_such_path"),
        (("datanet", "remove", "missing"), 3, "unknown_datanet"),
        (("owner", "show", "nobody"), 3, "unknown_owner"),
        (("owner", "bind", "nobody", PAYEE), 3, "unknown_owner"),
        (("owner", "bind", "nobody", "0x12"), 3, "bad_address"),
    ],
)
def test_commands__a_users_mistake__one_line_and_exit_code(
    run: Run, arguments: tuple[str, ...], exit_code: int, expected: str
) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (exit_code, "")
    assert expected in err
    assert "Traceback" not in err


def test_datanet_add__no_registry__says_how_to_start_it(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "good.txt").write_text("fine")
    monkeypatch.delenv("DISTRIBUTARY_POSTGRES")
    code, _, err = run("datanet", "add", "a", ".", "--owner", "A", "--licence", "MIT")
    assert code == 4
    assert "distributary up" in err
