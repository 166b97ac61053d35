"""Ports are chosen once and kept."""

import socket
from pathlib import Path

from distributary.stack.ports import is_free, keep_ports
from distributary.stack.server import HOST


def test_keep_ports__asked_again__are_the_same(tmp_path: Path) -> None:
    first = keep_ports(tmp_path, ["kafka", "valkey"])

    assert keep_ports(tmp_path, ["valkey", "kafka"]) == first
    assert len(set(first.values())) == 2


def test_keep_ports__one_was_taken_meanwhile__only_that_one_changes(tmp_path: Path) -> None:
    first = keep_ports(tmp_path, ["kafka", "valkey"])
    with socket.socket() as other:
        other.bind((HOST, first["kafka"]))
        other.listen()
        assert not is_free(first["kafka"])

        second = keep_ports(tmp_path, ["kafka", "valkey"])

    assert second["kafka"] != first["kafka"]
    assert second["valkey"] == first["valkey"]
