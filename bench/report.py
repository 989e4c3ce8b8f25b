"""What a command found, as values and as text for the terminal."""

from msgspec import Struct, field

from bench.load.spec import LoadResult

__all__ = ["Chart", "Curve", "Measurement", "Points", "Report", "Table", "Target", "as_text", "target_table"]


class Target(Struct, frozen=True):
    """One thing that must be so, and whether it is."""

    what: str
    bound: str
    measured: str
    held: bool


class Table(Struct, frozen=True):
    """A table of the report."""

    title: str
    columns: list[str]
    rows: list[list[str]]


class Curve(Struct, frozen=True):
    """A distribution of latencies: milliseconds at `bench.statistics.LEVELS`."""

    name: str
    milliseconds: list[float]


class Chart(Struct, frozen=True):
    """A chart of the report."""

    title: str
    curves: list[Curve]


class Points(Struct, frozen=True):
    """A scatter: one value (ms) at each moment (s)."""

    title: str
    seconds: list[float]
    milliseconds: list[float]


class Measurement(Struct, frozen=True):
    """One run of the load, as it was."""

    server: str
    load: str
    result: LoadResult


class Report(Struct, frozen=True):
    """Everything a command has to say. `remarks` are sentences on what the numbers mean."""

    command: str
    title: str
    conditions: dict[str, str]
    tables: list[Table] = field(default_factory=list)
    targets: list[Target] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)
    charts: list[Chart] = field(default_factory=list)
    points: list[Points] = field(default_factory=list)
    measurements: list[Measurement] = field(default_factory=list)

    @property
    def held(self) -> bool:
        """Whether every target was."""
        return all(target.held for target in self.targets)


def target_table(targets: list[Target]) -> Table:
    """The targets as one more table."""
    rows = [[t.what, t.bound, t.measured, "pass" if t.held else "FAIL"] for t in targets]
    return Table("Targets", ["what", "must be", "is", ""], rows)


def _table_lines(table: Table) -> list[str]:
    rows = [table.columns, *table.rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(table.columns))]
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows]
    return ["", table.title, *(line.rstrip() for line in lines)]


def as_text(report: Report) -> str:
    """The report for a terminal."""
    tables = [*report.tables, target_table(report.targets)] if report.targets else report.tables
    lines = [report.title, *(f"  {name}: {value}" for name, value in report.conditions.items())]
    for table in tables:
        lines += _table_lines(table)
    return "\n".join([*lines, "", *report.remarks])
