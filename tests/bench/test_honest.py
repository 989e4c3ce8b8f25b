"""Honest loads at a small scale, on servers with their defaults: nobody is refused or closed, and all arrives."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from mido import MidiFile

from bench.abuse.words import MASK, NOTE, message, upgrade
from bench.cli import main
from bench.commands.honest import margins_of, table_of, targets_of
from bench.honest.black import PIECES, write
from bench.honest.catalogue import LOADS
from bench.honest.doings import Asked, Doings, Room
from bench.honest.margins import LIMITS, LOOP, CpuSample, used
from bench.honest.run import Outcome, go_well
from bench.metrics import nobody_hindered
from bench.options import Cores
from bench.statistics import summarise
from rhythm_protocol.binary import encode_midi
from rhythm_protocol.midi import CONTROL_CHANGE, NOTE_ON, MidiEvent
from rhythm_protocol.websocket import BINARY, TEXT, client_frame
from rhythmd.client.codec import encode_text
from rhythmd.config import Config

SECONDS = 1.5


SOURCE = "203.0.113.80"
CONFIG = Config()


def outcome(arrived: int = 90, hindrances: dict[str, int] | None = None, notes: float = 0.25) -> Outcome:
    delays = summarise(np.array([0.001, 0.002]))
    parts = dict.fromkeys(LIMITS, 0.0) | {"notes": notes, LOOP: 1.2}
    return Outcome("a class", 30, 90, arrived, delays, delays, hindrances or {}, {}, parts)


def did(*sent: bytes, room: Room | None = None, source: str = SOURCE) -> Doings:
    """All of it sent in one moment."""
    return Doings(source, room, opened=100.0, sent=[(100.0, data) for data in sent])


def music(*events: MidiEvent) -> bytes:
    return client_frame(BINARY, encode_midi(0, events), MASK)


@pytest.mark.parametrize("name", [name for name in LOADS if name != "black MIDI"])
def test_nobody_honest_is_refused(name: str) -> None:
    """Waits are not looked at: a machine that is busy with something else makes them."""
    found = go_well(name, SECONDS, Cores(None, None))
    assert found.refused == {}
    assert [reason for reason in found.hindrances if not reason.startswith("slowed")] == []
    assert found.arrived == found.expected
    assert 0 < max(part for limit, part in found.used.items() if limit != LOOP) < 1
    assert found.used["sockets"] or found.used["HTTP"]


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
    assert [target.held for target in targets_of(outcome())] == [True, True, True]
    assert [target.held for target in targets_of(outcome(arrived=89))] == [True, False, True]
    assert [target.held for target in targets_of(outcome(notes=1.0))] == [True, True, False]
    (hindered, arrived, _) = targets_of(outcome(hindrances={"slowed input": 2}))
    assert (hindered.held, hindered.measured, arrived.held) == (False, "2 slowed input", True)
    (row,) = table_of([outcome()]).rows
    assert len(row) == len(table_of([]).columns)


def test_margins_name_the_limit_of_which_most_was_used() -> None:
    table = margins_of([outcome()])
    (row,) = table.rows
    assert row[:2] == ["a class", "notes 25%"]
    assert len(row) == len(table.columns)
    assert row[-1] == "120%"


def test_frames_are_read_however_they_came_and_without_the_handshake() -> None:
    frames = [NOTE, music(*[MidiEvent(0, NOTE_ON, 60, 100)] * 40), client_frame(TEXT, b"x" * 70_000, MASK)]
    stream = upgrade() + b"".join(frames)
    pieces = [stream[at : at + 1_000] for at in range(0, len(stream), 1_000)]
    found = list(did(*pieces).frames())
    assert [frame.size for frame in found] == [len(frame) for frame in frames]
    assert found[1].payload == encode_midi(0, [MidiEvent(0, NOTE_ON, 60, 100)] * 40)
    assert found[2].payload == b"x" * 70_000


def test_what_is_sent_in_one_moment_uses_its_part_of_each_limit() -> None:
    room = Room("hall", {"max_players": 8})
    keys = [MidiEvent(0, NOTE_ON, key, velocity) for key in range(120) for velocity in (100, 0)]
    lines = [message("chat-message", {"content": "welcome", "to": "a"})] * 30
    text = client_frame(TEXT, encode_text("midi-event", {"time": 0, "events": [[0, NOTE_ON, 60, 9]] * 60}), MASK)
    others = did(text, music(MidiEvent(0, CONTROL_CHANGE, 64, 0)), room=room)
    others.told = [100.0] * 4_000
    found = used(CONFIG, [did(music(*keys), *lines, room=room), others], [])
    assert found["notes"] == pytest.approx(120 / CONFIG.quota.room_maximum)
    assert found["room's notes"] == pytest.approx(180 / CONFIG.quota.total_maximum)
    assert found["events"] == pytest.approx(240 / (2 * CONFIG.quota.room_maximum + CONFIG.quota.other_events))
    assert found["messages"] == pytest.approx(30 / CONFIG.limits.messages_burst)
    assert found["whispers"] == pytest.approx(30 / CONFIG.limits.whispers_per_minute)
    assert found["deliveries"] == pytest.approx(4_000 / (2 * CONFIG.hub.room_deliveries_per_s))
    assert found["sockets"] == pytest.approx(2 / CONFIG.limits.connections_per_address)


def test_quota_that_the_server_has_told_counts_and_notes_beyond_it_are_over() -> None:
    doings = did(music(*[MidiEvent(0, NOTE_ON, 60, 1)] * 300), room=Room("hall", {}))
    doings.quota = 100, 200
    assert used(CONFIG, [doings], [])["notes"] == pytest.approx(1.5)


@pytest.mark.parametrize("frames", [[NOTE] * 100, [music(*[MidiEvent(0, NOTE_ON, 60, 1)] * 2_000)]])
def test_frames_and_bytes_are_paid_for_together(frames: list[bytes]) -> None:
    limits = CONFIG.limits
    seconds = sum(map(len, frames)) / limits.bytes_per_s + len(frames) / limits.frames_per_s
    assert used(CONFIG, [did(*frames)], [])["input"] == pytest.approx(seconds / limits.input_burst_s)


def test_requests_count_by_account_or_address_and_kind() -> None:
    def asked(path: str, member: str | None = None, source: str = SOURCE) -> Asked:
        return Asked(source, member, path, 100.0, 100.0)

    found = used(CONFIG, [], [
        *[asked("/api/v1/rooms/active")] * 100, *[asked("/api/v1/rooms/active", source="203.0.113.81")] * 50,
        *[asked("/api/v1/auth/guest")] * 5, *[asked("/api/v1/auth/register")] * 3,
        *[asked("/api/v1/sheet_music/upload", "clara")] * 10, *[asked("/static/main.js")] * 500,
    ])  # fmt: skip
    limits = CONFIG.limits
    assert found["requests"] == pytest.approx(100 / (limits.requests_per_minute * limits.people_per_address))
    assert found["logins"] == pytest.approx(5 / (limits.auth_requests_per_minute * limits.people_per_address))
    assert found["accounts"] == pytest.approx(3 / limits.accounts_per_hour)
    assert found["uploads"] == pytest.approx(10 / limits.uploads_per_minute)


def test_processor_time_is_shared_among_those_who_did_something() -> None:
    people = [did(*[NOTE] * 3), did(NOTE, source="203.0.113.81"), did(NOTE, source="203.0.113.82")]
    samples = [CpuSample(1, 99.5, 7.0), CpuSample(1, 100.5, 7.2), CpuSample(2, 101.5, 0.1)]
    part = used(CONFIG, people, [], samples)[LOOP]
    assert part == pytest.approx(0.2 * 3 / 5 / (CONFIG.limits.network_share / 100))


def test_nobody_hindered_names_whom() -> None:
    assert nobody_hindered("all", {}).held
    assert nobody_hindered("all", {"closed flooding": 1}).measured == "1 closed flooding"


def test_list_names_every_load_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--results", str(tmp_path), "honest", "--list"]) == 0
    printed = capsys.readouterr().out
    assert all(f"\n{name} " in printed and row.what in printed for name, row in LOADS.items())
