"""What a run of settlement did."""

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Report:
    """What a run did, for a person and for JSON.

    Attributes:
        committed: epochs that were committed.
        posted: postings that were sent, by number.
        active: postings that became active, by number.
        rejected: postings that were rejected, by number.
        bound: owners that were bound on the chain.
        refused: owners that the contract binds not so.
        waiting: why the rest waits, in a word, and what for; empty when nothing does.
    """

    committed: list[int] = field(default_factory=list)
    posted: list[int] = field(default_factory=list)
    active: list[int] = field(default_factory=list)
    rejected: list[int] = field(default_factory=list)
    bound: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    waiting: dict[str, Any] = field(default_factory=dict)
