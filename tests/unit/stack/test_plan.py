"""Which servers are started, and which are the user's."""

import pytest

from distributary.errors import InputError
from distributary.settings import Settings
from distributary.stack.control import split_given
from distributary.stack.plan import NAMES, parse_names, with_endpoints


def test_parse_names__in_any_order__come_in_the_fixed_one() -> None:
    assert parse_names("valkey, kafka") == ("kafka", "valkey")


def test_parse_names__no_such_server__is_refused_by_name() -> None:
    with pytest.raises(InputError, match="'redis'"):
        parse_names("kafka,redis")


def test_split_given__endpoint_in_the_environment__is_not_started() -> None:
    ours, given = split_given(NAMES, {"DISTRIBUTARY_KAFKA": "broker:9092"})

    assert given == ("kafka",)
    assert "kafka" not in ours


def test_split_given__nodes_given_but_not_the_trusted_one__triton_is_started() -> None:
    ours, given = split_given(("triton",), {"DISTRIBUTARY_TRITON": "a=node:8001"})

    assert (ours, given) == (("triton",), ())


def test_with_endpoints__some__replaces_only_those() -> None:
    settings = with_endpoints(Settings(valkey="kept"), {"kafka": "host:1"})

    assert (settings.kafka, settings.valkey) == ("host:1", "kept")
