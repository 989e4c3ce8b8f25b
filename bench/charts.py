"""Charts as SVG text, to stand inside a page."""

import io
from typing import Final

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.report import Chart, Points
from bench.statistics import LEVELS

__all__ = ["latency_chart", "points_chart"]

_INCHES: Final = (9.0, 4.5)
_NINES: Final = {0.0: "0", 0.9: "90 %", 0.99: "99 %", 0.999: "99.9 %", 0.9999: "99.99 %", 0.99999: "99.999 %"}
_LAST_LEVEL: Final = 0.999999  # where the maximum stands on an axis that never reaches 1
_SHORTEST_MS: Final = 1e-3


def _svg(figure: Figure) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue().partition("<!DOCTYPE")[2].partition(">")[2]


def _axes(figure: Figure, x_label: str, y_label: str) -> Axes:
    axes = figure.add_subplot()
    axes.set_xlabel(x_label)
    axes.set_ylabel(y_label)
    axes.grid(visible=True, which="both", alpha=0.25)
    return axes


def _rarity(level: float) -> float:
    """Place of a quantile on an axis where each further nine takes the same room."""
    return 1.0 / (1.0 - min(level, _LAST_LEVEL))


def latency_chart(chart: Chart) -> str:
    """Latency at each quantile, one line a curve; both axes logarithmic."""
    figure = Figure(_INCHES, layout="constrained")
    axes = _axes(figure, "share of deliveries", "latency, ms")
    for curve in chart.curves:
        values = [max(value, _SHORTEST_MS) for value in curve.milliseconds]
        axes.plot([_rarity(level) for level in LEVELS], values, label=curve.name)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xticks([_rarity(level) for level in _NINES], list(_NINES.values()))
    axes.minorticks_off()
    axes.set_title(chart.title)
    axes.legend()
    return _svg(figure)


def points_chart(points: Points) -> str:
    """One dot a note, at the second it was due."""
    figure = Figure(_INCHES, layout="constrained")
    axes = _axes(figure, "second of the score", "ms")
    axes.plot(points.seconds, points.milliseconds, ".", markersize=3)
    axes.set_title(points.title)
    return _svg(figure)
