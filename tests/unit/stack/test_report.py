"""What `status` and `doctor` say."""

from pathlib import Path

import pytest

from distributary.settings import Settings
from distributary.stack.endpoints import ModelState, check_endpoints
from distributary.stack.machine import check_disk, check_machine, check_memory, check_ports
from distributary.stack.plan import NAMES
from distributary.stack.ports import keep_ports
from distributary.stack.report import brief, mask, report_status


@pytest.mark.parametrize(
    ("uri", "masked", "where"),
    [
        ("postgresql://me:pass@host:1/db", "postgresql://me:***@host:1/db", "host:1/db"),
        ("redis://:p@ss@host:1/0", "redis://:***@host:1/0", "host:1/0"),
        ("redis://host:1/0", "redis://host:1/0", "host:1/0"),
        ("host:1,other:2", "host:1,other:2", "host:1,other:2"),
        ("https://u:p@node/v3/key", "https://node/***", "node/v3/key"),
        ("http://host:1", "http://host:1", "host:1"),
    ],
)
def test_mask__uri__hides_the_password_only(uri: str, masked: str, where: str) -> None:
    assert mask(uri) == masked
    assert brief(uri) == where


def test_report_status__nothing_started__every_server_is_stopped(tmp_path: Path) -> None:
    lines = report_status(tmp_path, {})

    assert [line.name for line in lines] == list(NAMES)
    assert {line.state for line in lines} == {"stopped"}


def test_report_status__endpoint_given__says_so_without_its_password(tmp_path: Path) -> None:
    lines = report_status(tmp_path, {"postgres": "postgresql://me:secret@db:5432/x"})

    (postgres,) = [line for line in lines if line.name == "postgres"]
    assert postgres.state == "given"
    assert "secret" not in str(lines)


def answers(_address: str) -> list[ModelState]:
    return [ModelState("attribute", "1", True, ""), ModelState("generate", "2", True, "")]


def test_check_endpoints__nothing_known__advises_how_to_get_each() -> None:
    findings = check_endpoints(Settings(), {}, answers)

    assert not any(finding.ok for finding in findings)
    assert all("distributary up" in f.advice and "DISTRIBUTARY_" in f.advice for f in findings)


def test_check_endpoints__triton_answers__names_models_and_versions() -> None:
    settings = Settings(triton="a=one:1,b=two:2", triton_trusted="own:3")

    findings = {f.name: f for f in check_endpoints(settings, {}, answers)}

    assert findings["triton"].ok
    assert findings["triton"].text.startswith("a: models attribute v1, generate v2; b:")
    assert findings["triton_trusted"].ok


def test_check_endpoints__a_model_is_broken__is_named_with_its_reason() -> None:
    def broken(_address: str) -> list[ModelState]:
        return [ModelState("attribute", "1", False, "no index")]

    settings = Settings(triton="a=one:1", triton_trusted="own:3")
    findings = {f.name: f for f in check_endpoints(settings, {}, broken)}

    assert not findings["triton"].ok
    assert "attribute (no index)" in findings["triton_trusted"].text


def test_check_endpoints__trusted_triton_without_attribute__is_wrong() -> None:
    def node(_address: str) -> list[ModelState]:
        return [ModelState("generate", "1", True, "")]

    findings = {f.name: f for f in check_endpoints(Settings(triton_trusted="own:3"), {}, node)}

    assert "no model `attribute`" in findings["triton_trusted"].text


def test_check_endpoints__given_one_is_wrong__advice_names_its_variable() -> None:
    def refuse(_address: str) -> list[ModelState]:
        raise OSError("connection refused")

    given = {"DISTRIBUTARY_TRITON": "a=one:1"}
    findings = {f.name: f for f in check_endpoints(Settings(triton="a=one:1"), given, refuse)}

    assert "connection refused" in findings["triton"].text
    assert "Check DISTRIBUTARY_TRITON" in findings["triton"].advice


def test_check_endpoints__prism_is_no_file__is_wrong(tmp_path: Path) -> None:
    findings = {
        f.name: f for f in check_endpoints(Settings(prism=str(tmp_path / "none")), {}, answers)
    }

    assert not findings["prism"].ok


def test_check_disk__too_little_room__says_how_much_is_needed(tmp_path: Path) -> None:
    finding = check_disk(tmp_path / "not" / "there" / "yet", bytes_min=10**18)

    assert not finding.ok
    assert "Free at least" in finding.advice


def test_check_memory__too_little__advises_a_subset() -> None:
    assert not check_memory(10**9).ok
    assert check_memory(10**11).ok


def test_check_ports__all_free__is_fine(tmp_path: Path) -> None:
    keep_ports(tmp_path, ["kafka"])

    assert check_ports(tmp_path).text == "free"


def test_check_machine__this_one__can_run_the_servers(tmp_path: Path) -> None:
    names = [f.name for f in check_machine(tmp_path, tmp_path, stopped=True)]

    assert names == ["python", "java", "go", "npm", "ports", "disk", "disk", "memory"]
