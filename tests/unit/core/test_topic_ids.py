"""Topic ids as text."""

import pytest

from distributary.kafka import topic_id_text


@pytest.mark.parametrize(
    ("base64", "text"),
    [("AbCdEf0123456789AbCdEw", "AbCdEf0123456789AbCdEw"), ("a/b+c/d", "a_b-c_d")],
)
def test_topic_id_text__as_librdkafka_writes_it__becomes_what_kafkas_tools_show(
    base64: str, text: str
) -> None:
    assert topic_id_text(base64) == text
