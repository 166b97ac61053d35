"""Settings: where a value comes from, what is refused, and that secrets stay masked."""

import json
from pathlib import Path

import pytest

from distributary.errors import InputError, UnavailableError
from distributary.settings import Settings, load_settings


def test_load_settings__given_written_and_default__are_taken_in_this_order(tmp_path: Path) -> None:
    (tmp_path / "endpoints.json").write_text(
        json.dumps({"kafka": "written:1", "valkey": "redis://written", "partitions": 99})
    )
    settings = load_settings({"DISTRIBUTARY_HOME": str(tmp_path), "DISTRIBUTARY_KAFKA": "given:2"})
    assert settings.kafka == "given:2"
    assert settings.valkey == "redis://written"
    assert settings.partitions == Settings().partitions
    assert settings.lake_path == tmp_path / "lake"


@pytest.mark.parametrize(
    "variable", ["DISTRIBUTARY_PARTITIONS", "DISTRIBUTARY_RETRY_S_MAX", "DISTRIBUTARY_BUNDLE_S"]
)
def test_load_settings__not_a_number__names_the_variable(variable: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=variable):
        load_settings({"DISTRIBUTARY_HOME": str(tmp_path), variable: "many"})


def test_load_settings__damaged_endpoints_file__says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "endpoints.json").write_text("{")
    with pytest.raises(InputError, match="distributary down"):
        load_settings({"DISTRIBUTARY_HOME": str(tmp_path)})


def test_repr__with_secrets__masks_them() -> None:
    shown = repr(
        Settings(
            postgres="postgresql://user:hidden@host",
            valkey="redis://:hidden@host",
            chain="https://node/v3/hidden",
        )
    )
    assert "hidden" not in shown
    assert "postgres='***'" in shown


def test_require__an_endpoint_that_is_not_there__names_the_variable() -> None:
    with pytest.raises(UnavailableError, match="DISTRIBUTARY_KAFKA"):
        Settings().require("kafka")


def test_nodes__several__are_read_in_their_order() -> None:
    assert Settings(triton="b=host:1, a=host:2").nodes() == {"b": "host:1", "a": "host:2"}


@pytest.mark.parametrize("triton", ["host:1", "a=host", "=host:1", "a=h:1,", "a=h:1,a=h:2"])
def test_nodes__not_name_and_address__is_refused(triton: str) -> None:
    with pytest.raises(InputError, match="DISTRIBUTARY_TRITON"):
        Settings(triton=triton).nodes()
