"""What nodes say when they are given a transaction."""

import pytest

from orchestration.settlement.node import Sending, read_refusal


@pytest.mark.parametrize(
    ("words", "meaning"),
    [
        ("already known", Sending.KNOWN),  # geth
        ("transaction already imported", Sending.KNOWN),  # anvil
        ("AlreadyKnown", Sending.KNOWN),  # nethermind
        ("replacement transaction underpriced", Sending.REPLACEMENT_TOO_LOW),
        ("could not replace existing tx", Sending.REPLACEMENT_TOO_LOW),  # erigon
        ("nonce too low: address 0x1, tx: 1 state: 2", Sending.NONCE_TOO_LOW),
        ("OldNonce", Sending.NONCE_TOO_LOW),
        ("nonce too high", Sending.NONCE_TOO_HIGH),
        ("transaction underpriced", Sending.FEE_TOO_LOW),
        ("max fee per gas less than block base fee", Sending.FEE_TOO_LOW),
        ("Insufficient funds for gas * price + value", Sending.FUNDS),
        ("txpool is full", Sending.UNKNOWN),
        ("", Sending.UNKNOWN),
    ],
)
def test_read_refusal__words_of_a_node__are_understood_or_unknown(words, meaning):
    assert read_refusal(words) is meaning
