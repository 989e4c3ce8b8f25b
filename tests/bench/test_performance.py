"""The bench of sheets in rooms, small: what it measures is there, and notes come ahead of their time."""

import argparse

from bench.commands import performance


def test_run_measures_each_phase() -> None:
    parser = argparse.ArgumentParser()
    performance.add_arguments(parser)
    report = performance.run(parser.parse_args(["--rooms", "2", "--members", "2", "--seconds", "0.7", "--no-pin"]))
    silence, piece, dense = report.tables[0].rows
    assert silence[2] == "0"
    assert int(piece[2].replace(",", "")) > 0
    assert int(dense[2].replace(",", "")) > int(piece[2].replace(",", ""))
    assert all(0 < float(row[4]) <= 100 for row in (piece, dense)), "an event comes as far ahead as the look-ahead is"
