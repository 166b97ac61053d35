"""What a setting may be, in words and as a check."""

import re
from dataclasses import dataclass


@dataclass(frozen=True)
class Between:
    """Numbers from `least` to `most`, both included; `most` None: as large as one likes."""

    least: float
    most: float | None = None

    @property
    def words(self) -> str:
        """The range, as the reference and an error say it."""
        if self.most is None:
            return f"at least {self.least:,}"
        return f"{self.least:,} to {self.most:,}"

    def allows(self, value: float) -> bool:
        """Whether the number is in the range; NaN is in none."""
        return value >= self.least and (self.most is None or value <= self.most)


@dataclass(frozen=True)
class Form:
    """Text that matches a pattern as a whole; `words` says what that looks like."""

    pattern: str
    words: str

    def allows(self, value: str) -> bool:
        """Whether the text has the form."""
        return re.fullmatch(self.pattern, value) is not None


ADDRESS = Form("0x[0-9a-fA-F]{40}", "0x and 40 hex digits")
URL = Form(r"https?://\S+", "http:// or https:// and what follows")
VALKEY_URL = Form(r"(rediss?|unix)://\S+", "redis://, rediss:// or unix:// and what follows")
# What Kafka takes in a name; the longest of ours still fits into its 249 characters.
NAME_PREFIX = Form(r"[A-Za-z0-9._-]{0,200}", "up to 200 of A-Z, a-z, 0-9, `.`, `_` and `-`")
LEVEL = Form("DEBUG|INFO|WARNING|ERROR|CRITICAL", "DEBUG, INFO, WARNING, ERROR or CRITICAL")
