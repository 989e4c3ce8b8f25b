from pathlib import Path
from xml.etree import ElementTree

import msgspec

from bench.page import as_page, write
from bench.report import Chart, Curve, Measurement, Points, Report, Table, Target, as_text
from bench.statistics import LEVELS
from tests.bench.results import load_result

REPORT = Report(
    command="latency",
    title="One <run>",
    conditions={"cpu": "none & other"},
    tables=[Table("Deliveries", ["run", "p99"], [["first", "1.00 ms"]])],
    targets=[Target("loss", "0", "0", held=True), Target("p99", "1 ms", "2 ms", held=False)],
    remarks=["A remark."],
    charts=[Chart("Latency", [Curve("first", [1.0] * len(LEVELS))])],
    points=[Points("Errors", [0.0, 1.0], [0.1, 0.2])],
    measurements=[Measurement("rhythmd", "first", load_result())],
)


def test_report_with_one_target_missed_is_not_held() -> None:
    assert not REPORT.held
    assert Report("idle", "", {}).held


def test_as_text_shows_tables_targets_and_remarks() -> None:
    text = as_text(REPORT)
    for part in ("One <run>", "first  1.00 ms", "FAIL", "A remark."):
        assert part in text


def test_as_page_is_one_well_formed_page_that_loads_nothing() -> None:
    page = as_page(REPORT)
    assert page.count("<svg") == 2
    assert "One &lt;run&gt;" in page
    for outside in ("src=", "<link", "@import", "url(http"):
        assert outside not in page
    for chart in page.split("<svg")[1:]:
        ElementTree.fromstring("<svg" + chart.partition("</svg>")[0] + "</svg>")


def test_write_leaves_a_page_and_json_that_reads_back(tmp_path: Path) -> None:
    page = write(REPORT, tmp_path)
    assert "One &lt;run&gt;" in page.read_text()
    assert msgspec.json.decode(page.with_suffix(".json").read_bytes(), type=Report) == REPORT
