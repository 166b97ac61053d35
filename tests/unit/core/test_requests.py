"""What is signed, and how a request is read back from bytes."""

import json
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from distributary.canonical import canonical_json
from distributary.errors import InputError
from distributary.identity import Coordinates, Domain, Identity, parse_address, partition_of
from distributary.requests import read_request, request_hash, sign_request, verify_signature
from tests.senders import DOMAIN, Customer, public_hex, question, seeded_key

CUSTOMER = Customer()


def test_request_hash__known_values__is_what_the_schema_says() -> None:
    # Computed apart, with `openssl dgst -sha256` over the bytes that the schema describes.
    hashed = request_hash(DOMAIN, Identity("0x" + "a" * 40, "s", "i"), "b" * 64, "7", 9)
    assert hashed == "2e253d932957c1342aba9de8e1de271f8164e29a608092d4a35a23c8c4412ae9"


def test_read_request__what_was_signed__verifies_and_keeps_its_bytes() -> None:
    sent = CUSTOMER.request("1", expires_at=1_790_000_000)

    read = read_request(sent.payload(), "test", "1", DOMAIN)

    assert read == sent
    assert read.payload() == sent.payload()
    assert verify_signature(read.purchase.request_hash, read.key, read.signature)


def test_read_request__address_in_capitals__is_the_same_purchase() -> None:
    sent = CUSTOMER.request("1")
    shouted = sent.payload().replace(CUSTOMER.account.encode(), CUSTOMER.account.upper().encode())
    assert read_request(shouted, "test", "1", DOMAIN).purchase == sent.purchase


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"account": None}, "bad_envelope"),
        ({"account": ["0x" + "a" * 40]}, "bad_envelope"),
        ({"account": "0x12"}, "bad_address"),
        ({"account": "0x" + "g" * 40}, "bad_address"),
        ({"account": "0x" + "a" * 40 + "\n"}, "bad_address"),
        ({"salt": "00"}, "bad_envelope"),
        ({"salt": 5}, "bad_envelope"),
        ({"salt": "A" * 32}, "bad_envelope"),
        ({"key": None}, "bad_envelope"),
        ({"key": "a" * 64 + "\n"}, "bad_envelope"),
        ({"signature": "f" * 127}, "bad_envelope"),
        ({"body": 2**53}, "not_canonical"),
        ({"expires_at": 2**60}, "not_canonical"),
    ],
)
def test_read_request__envelope_is_wrong__is_refused_with_its_code(
    change: dict[str, object], code: str
) -> None:
    payload = json.loads(CUSTOMER.request("1").payload()) | change
    with pytest.raises(InputError) as refused:
        read_request(json.dumps(payload).encode(), "test", "1", DOMAIN)
    assert refused.value.code == code


@pytest.mark.parametrize("payload", [b"[]", b"null", b'"text"', b"1"])
def test_read_request__not_an_object__is_refused(payload: bytes) -> None:
    with pytest.raises(InputError) as refused:
        read_request(payload, "test", "1", DOMAIN)
    assert refused.value.code == "bad_envelope"


def test_verify_signature__of_another_key_or_hash_or_garbage__is_false() -> None:
    request = CUSTOMER.request("1")
    hashed, signature = request.purchase.request_hash, request.signature
    other = public_hex(seeded_key("other"))
    assert verify_signature(hashed, request.key, signature)
    assert not verify_signature(hashed, other, signature)
    assert not verify_signature("0" * 64, request.key, signature)
    assert not verify_signature(hashed, request.key, "0" * 128)
    assert not verify_signature(hashed, "00", signature)
    assert not verify_signature(hashed, "f" * 64, signature)


def test_verify_signature__of_a_key_of_small_order__is_refused_though_openssl_takes_it() -> None:
    identity_point = "01" + "00" * 31
    signature = identity_point + "00" * 32  # R the identity, s zero: right for every message
    key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(identity_point))
    key.verify(bytes.fromhex(signature), b"whatever")
    assert not verify_signature("f" * 64, identity_point, signature)


def test_sign_request__salt_of_another_length__is_refused() -> None:
    identity = Identity(CUSTOMER.account, "test", "1")
    with pytest.raises(InputError, match="16 bytes"):
        sign_request(
            DOMAIN,
            identity,
            question("1"),
            max_charge_units=1,
            expires_at=1,
            salt=b"short",
            key=CUSTOMER.key,
        )


def test_sign_request__same_arguments__same_bytes_at_every_attempt() -> None:
    def sign() -> bytes:
        return sign_request(
            DOMAIN,
            Identity(CUSTOMER.account, "test", "1"),
            question("1"),
            max_charge_units=10**30,
            expires_at=1_790_000_000,
            salt=b"s" * 16,
            key=CUSTOMER.key,
        ).payload()

    assert sign() == sign()
    assert json.loads(sign())["max_charge_units"] == "1" + "0" * 30
    assert canonical_json(json.loads(sign())) == sign()


def test_payload__unsigned_field_added__is_not_part_of_the_request() -> None:
    sent = CUSTOMER.request("1")
    more = json.dumps(json.loads(sent.payload()) | {"priority": 9}).encode()
    assert read_request(more, "test", "1", DOMAIN) == sent


def test_domain__another_chain__is_another_request_hash() -> None:
    purchase = CUSTOMER.request("1").purchase
    for domain in (Domain(1, DOMAIN.contract), replace(DOMAIN, contract="0x" + "1" * 40)):
        assert (
            request_hash(
                domain,
                purchase.identity,
                purchase.body_hash,
                purchase.max_charge_units,
                purchase.expires_at,
            )
            != purchase.request_hash
        )


def test_partition_of__a_hash__is_its_value_modulo_the_partitions() -> None:
    assert partition_of("00" * 31 + "07", 4) == 3
    assert partition_of("f" * 64, 2**64) == 2**64 - 1


def test_coordinates__as_text__are_topic_id_partition_offset() -> None:
    assert str(Coordinates("abc", 3, 70)) == "abc/3/70"


def test_parse_address__mixed_case__is_lower_case() -> None:
    assert parse_address("0xAB" + "0" * 38) == "0xab" + "0" * 38
