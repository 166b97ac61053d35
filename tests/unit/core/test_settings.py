"""Settings: where a value comes from, what is refused, and that secrets stay masked."""

import json
from dataclasses import fields
from pathlib import Path

import pytest

from distributary.allowed import Between, Form
from distributary.errors import InputError, UnavailableError
from distributary.settings import PREFIX, Settings, load_settings


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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PARTITIONS", "0"),
        ("WINDOW_MAX", "-5"),
        ("WINDOW_MAX", "0"),
        ("BATCHES_IN_FLIGHT_MAX", "0"),
        ("REQUESTS_IN_FLIGHT_MAX", "0"),
        ("REQUEST_BYTES_MAX", "65536"),
        ("DEADLINE_MS_DEFAULT", "300001"),
        ("REPLAY_S", "0"),
        ("BUNDLE_S", "nan"),
        ("BUNDLE_S", "inf"),
        ("METRICS_PORT_INFERENCE", "65536"),
        ("CONTRACT", "zz"),
        ("SETTLER_ADDRESS", "0x12"),
        ("TOPIC_PREFIX", "a/b"),
        ("VALKEY", "nonsense"),
        ("CHAIN", "nonsense"),
        ("LOG_LEVEL", "banana"),
    ],
)
def test_load_settings__not_allowed__says_what_is(name: str, value: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=f"{PREFIX}{name} must be ") as caught:
        load_settings({"DISTRIBUTARY_HOME": str(tmp_path), PREFIX + name: value})
    (setting,) = [each for each in fields(Settings) if each.name == name.lower()]
    assert setting.metadata["allowed"].words in str(caught.value)


def test_load_settings__a_secret_is_not_allowed__is_not_shown(tmp_path: Path) -> None:
    with pytest.raises(InputError) as caught:
        load_settings({"DISTRIBUTARY_HOME": str(tmp_path), "DISTRIBUTARY_VALKEY": "me:hidden@db"})
    assert "hidden" not in str(caught.value)


def test_load_settings__first_and_last_allowed__pass(tmp_path: Path) -> None:
    home = {"DISTRIBUTARY_HOME": str(tmp_path)}
    for setting in fields(Settings):
        allowed = setting.metadata.get("allowed")
        if isinstance(allowed, Between):
            for value in filter(None, (str(allowed.least), str(allowed.most or ""))):
                assert load_settings({**home, PREFIX + setting.name.upper(): value})


def test_settings__every_number_and_default__has_a_range_and_keeps_to_it() -> None:
    for setting in fields(Settings):
        value, allowed = getattr(Settings(), setting.name), setting.metadata.get("allowed")
        assert isinstance(allowed, Between) == isinstance(value, int | float), setting.name
        assert value in ("", None) or allowed is None or allowed.allows(value), setting.name


def test_form__a_line_break_at_the_end__is_no_match() -> None:
    assert not Form("a", "a").allows("a\n")


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
