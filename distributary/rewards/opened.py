"""A posting computed once, for all that is asked of it afterwards."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from distributary.rewards.columnar import fund_columns
from distributary.rewards.contributions import PaidLines
from distributary.rewards.funding import Funding
from distributary.rewards.manifest import SettlementManifest
from distributary.rewards.posting import Posting, open_posting
from distributary.rewards.reference import Computed, conclude
from distributary.rewards.weighing import Tally
from distributary.rewards.weighing_columns import weigh_columns


@dataclass(frozen=True)
class ComputedPosting:
    """A posting with everything that was computed on the way to its root."""

    posting: Posting
    funding: Funding
    tallies: Mapping[int, Tally]
    computed: Computed

    @property
    def paid_lines(self) -> PaidLines:
        """Its lines with their weights."""
        return PaidLines(self.posting, self.computed.lines, self.tallies)


def compute_opened(lake: Path, manifest: SettlementManifest) -> ComputedPosting:
    """Opens and computes a posting; raises as `reference.compute` does."""
    posting = open_posting(lake, manifest)
    funding = fund_columns(posting)
    tallies = weigh_columns(posting, funding.placement)
    return ComputedPosting(posting, funding, tallies, conclude(posting, funding, tallies))
