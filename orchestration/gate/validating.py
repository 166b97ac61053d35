"""Runs the suites of the gate on their tables; an exception or an empty suite is a failure."""

import logging
import shutil
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, NamedTuple

from orchestration.gate.frames import COLUMNS, Frame

logger = logging.getLogger(__name__)

CONTEXT: Final = Path(__file__).parent / "gx"
HOLDING: Final = "epochs"  # the suite whose failure holds an epoch for a person


class Checked(NamedTuple):
    """One expectation: suite, what is expected, severity, whether it held, what was found."""

    suite: str
    expectation: str
    severity: str
    passed: bool
    found: str


@dataclass(frozen=True)
class Verdict:
    """What the gate found.

    Attributes:
        posting_id: the posting.
        verdict: `passed`, `held` or `failed`.
        checks: every expectation.
        docs: the index of Data Docs; empty where they could not be built.
        held: the epochs that wait for a person.
    """

    posting_id: int
    verdict: str
    checks: tuple[Checked, ...]
    docs: str
    held: tuple[int, ...] = ()

    @property
    def failures(self) -> list[Checked]:
        """Critical expectations that did not hold."""
        return [each for each in self.checks if not each.passed and each.severity == "critical"]

    def described(self) -> dict[str, Any]:
        """As JSON has it."""
        checks = [each._asdict() for each in self.checks]
        return {
            "posting": self.posting_id,
            "verdict": self.verdict,
            "checks": checks,
            "docs": self.docs,
            "held": list(self.held),
        }


def validate(posting_id: int, frames: Mapping[str, Frame], home: Path) -> Verdict:
    """Runs every suite.

    Args:
        posting_id: named in the results.
        frames: rows by suite.
        home: where results and Data Docs are kept.

    Returns:
        The verdict; whatever went wrong on the way is a failed check.
    """
    try:
        with warnings.catch_warnings():
            # The library imports modules that Python has deprecated.
            warnings.simplefilter("ignore")
            checks, docs = _run(posting_id, frames, home)
    except Exception as error:  # the gate fails closed, whatever its library raises
        logger.exception({"msg": "the gate raised", "posting": posting_id})
        checks = [Checked("gate", "runs to its end", "critical", False, repr(error)[:300])]
        docs = ""
    failed = [each for each in checks if not each.passed and each.severity == "critical"]
    verdict = "passed"
    if failed:
        verdict = "held" if all(each.suite == HOLDING for each in failed) else "failed"
    held = tuple(row["epoch"] for row in frames.get(HOLDING, []) if row["is_held"])
    return Verdict(posting_id, verdict, tuple(checks), docs, held)


def _run(posting_id: int, frames: Mapping[str, Frame], home: Path) -> tuple[list[Checked], str]:
    context = _context(home)
    checks: list[Checked] = []
    for name in COLUMNS:
        checks += _validate_suite(context, posting_id, name, frames[name])
    sites = context.build_data_docs()
    index = next(iter(sites.values()), "")
    return checks, str(index)


def _context(home: Path) -> Any:
    """The repository's file context, copied to where results may be written."""
    import great_expectations as gx

    folder = home / "gate" / "gx"
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copytree(CONTEXT, folder, dirs_exist_ok=True)
    return gx.get_context(mode="file", project_root_dir=str(folder.parent))


def _validate_suite(context: Any, posting_id: int, name: str, rows: Frame) -> list[Checked]:
    import pandas as pd  # type: ignore[import-untyped]
    from great_expectations import ValidationDefinition

    suite = context.suites.get(name)
    if not suite.expectations:
        return [Checked(name, "has expectations", "critical", False, "the suite is empty")]
    source = context.data_sources.add_or_update_pandas(f"posting {name}")
    batch = source.add_dataframe_asset(name).add_batch_definition_whole_dataframe(name)
    definition = context.validation_definitions.add_or_update(
        ValidationDefinition(name=name, data=batch, suite=suite)
    )
    frame = pd.DataFrame(rows, columns=list(COLUMNS[name]), dtype=object)
    result = definition.run(
        batch_parameters={"dataframe": frame}, result_format="SUMMARY", run_id=_run_id(posting_id)
    )
    if len(result.results) != len(suite.expectations):
        return [Checked(name, "is run in full", "critical", False, f"{len(result.results)} ran")]
    return [_checked(name, each) for each in result.results]


def _run_id(posting_id: int) -> Any:
    from great_expectations.core.run_identifier import RunIdentifier

    return RunIdentifier(run_name=f"posting-{posting_id}")


def _checked(suite: str, result: Any) -> Checked:
    configuration = result.expectation_config
    kwargs = configuration.kwargs
    column = kwargs.get("column") or ", ".join(kwargs.get("column_list", ())) or "table"
    raised = any(info.get("raised_exception") for info in _exceptions(result.exception_info))
    found = result.result.get("partial_unexpected_list") or result.result.get("observed_value")
    shown = "" if result.success else str(found)[:300]
    return Checked(
        suite,
        f"{configuration.type.removeprefix('expect_')} ({column})",
        str(getattr(configuration.severity, "value", configuration.severity) or "critical"),
        bool(result.success) and not raised,
        "it raised" if raised else shown,
    )


def _exceptions(info: Any) -> list[Any]:
    """One entry, or one for each metric."""
    if not isinstance(info, dict):
        return []
    return [info] if "raised_exception" in info else [e for e in info.values() if e]
