"""The statement of an epoch as one self-contained HTML page; its plots are inline SVG."""

from fractions import Fraction
from html import escape
from typing import Final

from distributary.rewards.statement import SECTIONS, Entry, Statement, decimal

BARS_MAX: Final = 20  # in a plot; the table below has every entry up to `ROWS_MAX`
ROWS_MAX: Final = 1_000
_WIDTH, _BAR, _NAME = 720, 22, 250

_STYLE: Final = """
:root { color-scheme: light dark; --bar: #2f6f8f; }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.1rem; margin-top: 2.5rem; }
code { font-size: .85em; overflow-wrap: anywhere; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; }
td, th { padding: .2rem .6rem; text-align: left; border-bottom: 1px solid #8884; }
td { overflow-wrap: anywhere; } td.n, th.n { text-align: right; }
svg { width: 100%; height: auto; }
svg text { font: 12px system-ui, sans-serif; fill: currentColor; }
svg rect { fill: var(--bar); }
"""


def make_page(statement: Statement) -> str:
    """The whole page; it loads nothing."""
    sections = "".join(_section(title, statement.section(name)) for name, title in SECTIONS.items())
    title = f"Statement of epoch {statement.epoch}"
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{title}</title>'
        '<meta name="viewport" content="width=device-width">'
        f"<style>{_STYLE}</style></head><body><h1>{title}</h1>"
        f"<p>Pool: <b>{statement.pool_units:,}</b> base units of funded charges. "
        f"Posting <code>{escape(statement.posting)}</code>, root <code>{statement.root}</code>. "
        f"Anyone can recompute it: <code>distributary verify {statement.epoch}</code>.</p>"
        f"{sections}</body></html>\n"
    )


def _section(title: str, entries: list[Entry]) -> str:
    if not entries:
        return f"<h2>{escape(title)}</h2><p>Nothing.</p>"
    rows = "".join(_row(entry) for entry in entries[:ROWS_MAX])
    left = len(entries) - ROWS_MAX
    more = f"<p>And {left} more; the CSV has them all.</p>" if left > 0 else ""
    return (
        f"<h2>{escape(title)}</h2>{bars(entries[:BARS_MAX])}"
        '<table><tr><th>name</th><th class="n">base units</th><th class="n">entries</th></tr>'
        f"{rows}</table>{more}"
    )


def _row(entry: Entry) -> str:
    numbers = "".join(
        f'<td class="n">{each}</td>' for each in (decimal(entry.units), entry.entries)
    )
    return f"<tr><td>{escape(entry.name)}</td>{numbers}</tr>"


def bars(entries: list[Entry]) -> str:
    """A horizontal bar for each entry, as long as its share of the largest."""
    largest = max((entry.units for entry in entries), default=Fraction(0)) or Fraction(1)
    total = sum((entry.units for entry in entries), Fraction(0)) or Fraction(1)
    drawn = []
    for number, entry in enumerate(entries):
        y = number * _BAR
        width = int(entry.units * (_WIDTH - _NAME - 60) / largest)
        permille = int(entry.units * 1000 / total)
        name = entry.name if len(entry.name) <= 30 else f"{entry.name[:20]}…{entry.name[-8:]}"
        drawn.append(
            f'<text x="{_NAME - 8}" y="{y + 15}" text-anchor="end">{escape(name)}'
            f"<title>{escape(entry.name)}</title></text>"
            f'<rect x="{_NAME}" y="{y + 3}" width="{width}" height="{_BAR - 6}" rx="2"/>'
            f'<text x="{_NAME + width + 6}" y="{y + 15}">{permille // 10}.{permille % 10} %</text>'
        )
    height = _BAR * len(entries)
    return f'<svg viewBox="0 0 {_WIDTH} {height}" role="img">{"".join(drawn)}</svg>'
