"""A short run of the uploads beside playing rooms: all get through, within bounded memory. No time is looked at."""

import argparse
import io

import pytest

from bench.commands import uploads
from bench.uploads.contents import FORMATS, make
from rhythmd.sheets.formats.analysis import analyse
from rhythmd.sheets.formats.bounds import MAX_BYTES

SMALL = [
    "--uploads",
    "12",
    "--largest",
    "100000",
    "--rooms",
    "1",
    "--players",
    "2",
    "--seconds",
    "1",
    "--warmup",
    "0.2",
]
BUSY = ["--set", "workers.processes=1", "--set", "workers.queue=2"]


def test_run_of_more_uploads_than_the_server_takes_at_once_gets_all_through() -> None:
    parser = argparse.ArgumentParser()
    uploads.add_arguments(parser)
    report = uploads.run(parser.parse_args([*SMALL, *BUSY]))
    held = {target.what: target.held for target in report.targets}
    assert len(held) == 6
    del held["notes' p99 beside uploads"]
    assert all(held.values()), report.targets
    answers = {row[0]: row[1] for row in report.tables[1].rows}
    assert set(answers) == {"201", "503 busy"}
    assert int(answers["201"]) >= 12


@pytest.mark.parametrize("kind", FORMATS)
def test_made_up_files_are_taken_up_to_the_limit_and_no_two_are_alike(kind: str) -> None:
    small = make(kind, 2_000, "a")
    assert small == make(kind, 2_000, "a") != make(kind, 2_000, "b")
    for content in (small, make(kind, uploads.LARGEST, "a")):
        assert len(content) <= MAX_BYTES
        assert analyse(io.BytesIO(content), io.BytesIO()).notes > 10
