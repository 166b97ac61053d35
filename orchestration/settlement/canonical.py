"""What the canonical chain says of transactions that are ours."""

from collections.abc import Sequence

from orchestration.settlement.node import Head, Node, Receipt
from orchestration.settlement.rows import Stored


def final_block(node: Node, confirmations: int, head: Head) -> int:
    """The highest block that counts as final: the node's, or so many below the head."""
    if confirmations:
        return max(head.number - confirmations, 0)
    return node.block("finalized").number


def find_mined(node: Node, rows: Sequence[Stored]) -> tuple[Stored, Receipt] | None:
    """The row that the canonical chain holds, if any: any bump of a nonce may have won."""
    for row in rows:
        receipt = node.receipt(row.hash)
        if receipt and node.block(receipt.block).hash == receipt.block_hash:
            return row, receipt
    return None


def is_taken(node: Node, sender: str, rows: Sequence[Stored], final: int) -> bool:
    """Whether the nonce of these rows went to a foreign transaction, in a block that is final."""
    if node.nonce(sender, final) <= rows[0].nonce:
        return False
    return not any(node.receipt(row.hash) for row in rows)
