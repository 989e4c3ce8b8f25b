"""A report as JSON and as one self-contained page, both under one name in `bench/results/`."""

import time
from html import escape
from pathlib import Path
from typing import Final

import msgspec

from bench.charts import latency_chart, points_chart
from bench.report import Report, Table, target_table

__all__ = ["RESULTS", "as_page", "write"]

RESULTS: Final = Path(__file__).parent / "results"

_STYLE: Final = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 80rem; margin: 2rem auto; padding: 0 1rem; color: #222 }
table { border-collapse: collapse; margin: 1rem 0 } caption { text-align: left; font-weight: 600 }
td, th { border-bottom: 1px solid #ddd; padding: .2rem .8rem .2rem 0; text-align: left; white-space: nowrap }
td { font-variant-numeric: tabular-nums } .FAIL { color: #b00020; font-weight: 600 } .pass { color: #1b7f3b }
svg { max-width: 100%; height: auto }
"""


def _cell(text: str) -> str:
    verdict = f' class="{text}"' if text in {"pass", "FAIL"} else ""
    return f"<td{verdict}>{escape(text)}</td>"


def _table(table: Table) -> str:
    head = "".join(f"<th>{escape(column)}</th>" for column in table.columns)
    rows = "".join(f"<tr>{''.join(_cell(cell) for cell in row)}</tr>" for row in table.rows)
    return f"<table><caption>{escape(table.title)}</caption><tr>{head}</tr>{rows}</table>"


def as_page(report: Report) -> str:
    """The report as HTML that loads nothing from elsewhere."""
    tables = [*report.tables, target_table(report.targets)] if report.targets else report.tables
    conditions = Table("Conditions", ["", ""], [[name, value] for name, value in report.conditions.items()])
    charts = [latency_chart(chart) for chart in report.charts]
    charts += [points_chart(points) for points in report.points]
    body = [
        f"<h1>{escape(report.title)}</h1>",
        *(_table(table) for table in tables),
        *(f"<p>{escape(remark)}</p>" for remark in report.remarks),
        *charts,
        _table(conditions),
    ]
    head = f'<meta charset="utf-8"><title>{escape(report.title)}</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head><body>{"".join(body)}</body></html>\n'


def write(report: Report, folder: Path) -> Path:
    """Write both files; the page's path. An existing pair of the same second is replaced."""
    folder.mkdir(parents=True, exist_ok=True)
    page = folder / f"{report.command}-{time.strftime('%Y%m%d-%H%M%S')}.html"
    page.write_text(as_page(report))
    page.with_suffix(".json").write_bytes(msgspec.json.format(msgspec.json.encode(report), indent=1))
    return page
