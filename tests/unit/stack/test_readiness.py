"""What `doctor` says of servers that answer but lack what the jobs need."""

from distributary.settings import Settings
from distributary.stack.endpoints import ModelState
from distributary.stack.readiness import check_readiness


def serving(*names: str, ready: bool = True) -> list[ModelState]:
    return [ModelState(name, "1", ready, "") for name in names]


def test_check_readiness__nothing_answers__says_nothing() -> None:
    assert check_readiness(Settings(), set(), lambda _address: []) == []


def test_check_readiness__every_node_serves_every_model__is_fine() -> None:
    (models,) = check_readiness(
        Settings(triton="a=one:1,b=two:2"), {"triton"}, lambda _: serving("generate", "simulated")
    )
    assert models.ok
    assert models.name == "models"


def test_check_readiness__a_node_lacks_a_model__names_both() -> None:
    models = {
        "one:1": serving("generate", "simulated"),
        "two:2": serving("attribute") + serving("generate", ready=False),
    }
    (found,) = check_readiness(
        Settings(triton="a=one:1,b=two:2"), {"triton"}, lambda address: models[address]
    )
    assert not found.ok
    assert found.text == "node b does not serve generate, simulated"
    assert "DISTRIBUTARY_TRITON" in found.advice
