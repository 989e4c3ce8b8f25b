"""Honest loads at a small scale, on servers with their defaults: nobody is refused or closed, and all arrives."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from mido import MidiFile

from bench.cli import main
from bench.commands.honest import table_of, targets_of
from bench.honest.black import PIECES, write
from bench.honest.catalogue import LOADS
from bench.honest.run import Outcome, go_well
from bench.metrics import nobody_hindered
from bench.options import Cores
from bench.statistics import summarise

SECONDS = 1.5
PAGES = "limits.connections_per_address=200"  # thirty browsers with six connections each, as long as none makes room


def outcome(arrived: int = 90, hindrances: dict[str, int] | None = None) -> Outcome:
    delays = summarise(np.array([0.001, 0.002]))
    return Outcome("a class", 30, 90, arrived, delays, delays, hindrances or {}, {})


@pytest.mark.parametrize("name", [name for name in LOADS if name != "black MIDI"])
def test_nobody_honest_is_refused(name: str) -> None:
    """Waits are not looked at: a machine that is busy with something else makes them."""
    found = go_well(name, SECONDS, Cores(None, None), [PAGES] if name == "a class" else [])
    assert found.refused == {}
    assert [reason for reason in found.hindrances if not reason.startswith("slowed")] == []
    assert found.arrived == found.expected


@pytest.mark.parametrize("name", PIECES)
def test_black_midi_is_as_dense_as_it_says_and_releases_all_that_it_presses(name: str, tmp_path: Path) -> None:
    paths = tmp_path / "a.mid", tmp_path / "b.mid"
    events = [write(path, name, 2.0) for path in paths]
    assert paths[0].read_bytes() == paths[1].read_bytes()
    messages = [message for message in MidiFile(paths[0]) if not message.is_meta]
    assert len(messages) == events[0]
    pressed = [(message.channel, message.note) for message in messages if message.type == "note_on"]
    released = [(message.channel, message.note) for message in messages if message.type == "note_off"]
    assert Counter(pressed) == Counter(released)
    assert len(pressed) * 30 >= 10_000


def test_targets_of_an_honest_load_fail_when_an_event_is_missing_or_somebody_hindered() -> None:
    assert [target.held for target in targets_of(outcome())] == [True, True]
    assert [target.held for target in targets_of(outcome(arrived=89))] == [True, False]
    (hindered, arrived) = targets_of(outcome(hindrances={"slowed input": 2}))
    assert (hindered.held, hindered.measured, arrived.held) == (False, "2 slowed input", True)
    (row,) = table_of([outcome()]).rows
    assert len(row) == len(table_of([]).columns)


def test_nobody_hindered_names_whom() -> None:
    assert nobody_hindered("all", {}).held
    assert nobody_hindered("all", {"closed flooding": 1}).measured == "1 closed flooding"


def test_list_names_every_load_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--results", str(tmp_path), "honest", "--list"]) == 0
    printed = capsys.readouterr().out
    assert all(f"\n{name} " in printed and row.what in printed for name, row in LOADS.items())
