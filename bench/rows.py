"""Results of runs as rows of tables."""

from typing import Final

from bench.load.spec import GroupResult, LoadResult
from bench.report import Chart, Curve, Measurement, Table

__all__ = ["chart_of", "milliseconds", "results_table"]

_COLUMNS: Final = [
    "run", "rooms", "deliveries", "CPU/delivery", "p50", "p99", "p99.9", "max", "missing", "server CPU", "load CPU",
    "load late p99", "other CPU",
]  # fmt: skip


def milliseconds(value: float) -> str:
    return f"{value:.2f} ms" if value < 100 else f"{value:.0f} ms"


def _share(value: float) -> str:
    return f"{value * 100:.0f} %"


def _row(name: str, group_name: str, group: GroupResult, result: LoadResult) -> list[str]:
    cost, latency = result.cpu_per_delivery_us, group.latency
    return [
        name,
        group_name,
        f"{group.delivered:,}",
        "-" if cost is None else f"{cost:.2f} us",
        *(milliseconds(value) for value in (latency.p50, latency.p99, latency.p999, latency.max)),
        f"{group.missing:,}",
        "-" if result.server_cpu is None else _share(result.server_cpu / result.window),
        _share(result.load_cpu),
        milliseconds(result.lateness.p99),
        _share(result.other_cpu),
    ]


def results_table(title: str, measurements: list[Measurement]) -> Table:
    """One row for each group of rooms of each run."""
    rows = [
        _row(f"{measured.server}, {measured.load}", name, group, measured.result)
        for measured in measurements
        for name, group in measured.result.groups.items()
    ]
    return Table(title, _COLUMNS, rows)


def chart_of(measurements: list[Measurement]) -> Chart:
    """The latency distribution of each group of each run."""
    curves = [
        Curve(f"{measured.server}, {measured.load}, {name}", group.latency.quantiles)
        for measured in measurements
        for name, group in measured.result.groups.items()
        if group.latency.count
    ]
    return Chart("Latency", curves)
