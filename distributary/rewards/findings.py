"""What a verification found: each check by name, how much it looked at, and what failed."""

from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

EXAMPLES_MAX: Final = 3


class ChainFact(NamedTuple):
    """A value that a manifest states, beside what the chain says.

    Attributes:
        check: the check that it belongs to.
        what: what it is of, for a person.
        stated: by the manifest or its input files.
        found: on the chain.
    """

    check: str
    what: str
    stated: object
    found: object


@dataclass
class Finding:
    """One check.

    Attributes:
        name: a stable snake_case name, listed in docs/verify.md.
        looked_at: how many things were checked.
        failed: how many of them failed.
        examples: the first failures, in words.
    """

    name: str
    looked_at: int = 0
    failed: int = 0
    examples: list[str] = field(default_factory=list)


class Findings:
    """Collects the checks of one verification, in the order in which they are first named."""

    def __init__(self) -> None:
        self._found: dict[str, Finding] = {}

    def add(self, name: str, looked_at: int, failed: int = 0, *examples: str) -> None:
        """Adds to a check."""
        found = self._found.setdefault(name, Finding(name))
        found.looked_at += looked_at
        found.failed += failed
        found.examples += examples[: EXAMPLES_MAX - len(found.examples)]

    def check(self, name: str, passes: bool, sentence: str) -> None:
        """Adds one thing that either passes or fails with a sentence."""
        self.add(name, 1, 0 if passes else 1, *(() if passes else (sentence,)))

    def equal(self, name: str, what: str, stated: object, found: object) -> None:
        """Adds two values that must be one."""
        self.check(name, stated == found, f"{what} is stated as {stated} and was found as {found}")

    def all(self) -> tuple[Finding, ...]:
        """Every check."""
        return tuple(self._found.values())


@dataclass(frozen=True)
class Report:
    """What `verify` found.

    Attributes:
        folder: the posting's, relative to the lake.
        settlement_hash: of the settlement manifest, hex.
        root: as recomputed; None if the files do not allow it.
        posted_root: what it was compared with; None if nothing was.
        findings: every check.
        not_checked: what nobody can check from these files, in words.
    """

    folder: str
    settlement_hash: str
    root: str | None
    posted_root: str | None
    findings: tuple[Finding, ...]
    not_checked: tuple[str, ...]

    @property
    def failures(self) -> list[Finding]:
        """The checks that failed."""
        return [finding for finding in self.findings if finding.failed]

    @property
    def ok(self) -> bool:
        """Whether a root was recomputed and everything that was checked holds."""
        return self.root is not None and not self.failures

    def as_json(self) -> dict[str, Any]:
        """For `--json`."""
        return {
            "ok": self.ok,
            "folder": self.folder,
            "settlement_hash": self.settlement_hash,
            "root": self.root,
            "posted_root": self.posted_root,
            "checks": [vars(finding) for finding in self.findings],
            "not_checked": list(self.not_checked),
        }
