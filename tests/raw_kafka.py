"""Produces to Kafka by hand: what no client library would let a producer send.

Records as in Kafka's protocol guide: Produce version 7, record batch version 2.
"""

import socket
import struct
import time

CASTAGNOLI = 0x82F63B78
TIMEOUT_S = 10.0

Header = tuple[bytes, bytes | None]


def _crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = (crc >> 1) ^ (CASTAGNOLI if crc & 1 else 0)
    return crc ^ 0xFFFFFFFF


def _varint(number: int) -> bytes:
    left, out = (number << 1) ^ (number >> 63), b""
    while left >= 0x80:
        out, left = out + bytes([left & 0x7F | 0x80]), left >> 7
    return out + bytes([left])


def _bytes(data: bytes | None) -> bytes:
    return b"\x01" if data is None else _varint(len(data)) + data


def _batch(value: bytes, headers: list[Header]) -> bytes:
    written = b"".join(_varint(len(name)) + name + _bytes(data) for name, data in headers)
    record = b"\0\0\0" + _bytes(None) + _bytes(value) + _varint(len(headers)) + written
    now_ms = int(time.time() * 1000)
    counted = struct.pack(">hiqqqhii", 0, 0, now_ms, now_ms, -1, -1, -1, 1)
    counted += _varint(len(record)) + record
    body = struct.pack(">iBI", -1, 2, _crc32c(counted)) + counted
    return struct.pack(">qi", 0, len(body)) + body


def produce(kafka: str, topic: str, partition: int, value: bytes, headers: list[Header]) -> int:
    """Produces one record of any bytes; returns its offset."""
    batch, name = _batch(value, headers), topic.encode()
    request = struct.pack(">hhihhhi", 0, 7, 1, -1, -1, -1, 10_000)
    request += struct.pack(">ih", 1, len(name)) + name
    request += struct.pack(">iii", 1, partition, len(batch)) + batch
    host, port = kafka.split(":")
    with socket.create_connection((host, int(port)), TIMEOUT_S) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        with connection.makefile("rb") as stream:
            (length,) = struct.unpack(">i", stream.read(4))
            response = stream.read(length)
    error, offset = struct.unpack_from(">hq", response, 4 + 4 + 2 + len(name) + 4 + 4)
    assert error == 0, f"Kafka refused the record: error {error}"
    return int(offset)
