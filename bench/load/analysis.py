"""Reads to numbers: who got which event when, what is missing, how late everything was."""

from collections import Counter
from collections.abc import Iterable
from typing import Final

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from bench.load.client import Client
from bench.load.frames import EventReader, event_reader
from bench.load.run import PlayedRoom, Recording
from bench.load.spec import GroupResult, LoadResult, LoadSpec, NoteTiming
from bench.load.timetable import Timetable, numbers_of
from bench.statistics import Summary, summarise

__all__ = ["Heard", "RoomTally", "analyse", "heard_by", "note_timings", "only_known", "tally"]

_EVENT_SIZE: Final = 5


class Heard(Struct, frozen=True):
    """What one listener got, in order of arrival: numbers of events in their room, moments (monotonic, s)."""

    number: NDArray[np.int64]
    at: NDArray[np.float64]


class RoomTally(Struct, frozen=True):
    """One room's deliveries. `delay` (s) is for events due in the window; `arrived` counts arrivals in it."""

    expected: int
    delivered: int
    repeated: int
    unknown: int
    out_of_order: int
    arrived: int
    delay: NDArray[np.float64]


def heard_by(reads: Iterable[tuple[float, bytes]], read_events: EventReader) -> Heard:
    """Take a listener's reads apart."""
    events, moments, counts = bytearray(), [], []
    for moment, data in reads:
        moments.append(moment)
        counts.append(read_events(data, events))
    return Heard(numbers_of(bytes(events)), np.repeat(np.array(moments, np.float64), counts))


def only_known(timetable: Timetable, heard: Heard) -> Heard:
    """What is in the timetable; a server may add events of its own."""
    is_known = (heard.number >= 0) & (heard.number < timetable.due.size)
    return Heard(heard.number[is_known], heard.at[is_known])


def _out_of_order(number: NDArray[np.int64], player: NDArray[np.int64]) -> int:
    """Events that came after a later one of the same player."""
    by_player = np.argsort(player, kind="stable")
    same = np.diff(player[by_player]) == 0
    return int(np.count_nonzero(same & (np.diff(number[by_player]) < 0)))


def tally(timetable: Timetable, seat: int, heard: Heard, start: float, window: tuple[float, float]) -> RoomTally:
    """Compare what the member on `seat` heard with the timetable; nobody is sent their own events."""
    known = only_known(timetable, heard)
    foreign = timetable.player[known.number] != seat
    number, at = known.number[foreign], known.at[foreign]
    first = np.unique(number, return_index=True)[1]
    due = timetable.due[number[first]]
    in_window = (due >= window[0]) & (due <= window[1])
    arrived = (at - start >= window[0]) & (at - start <= window[1])
    return RoomTally(
        expected=int(np.count_nonzero(timetable.player != seat)),
        delivered=first.size,
        repeated=number.size - first.size,
        unknown=heard.number.size - number.size,
        out_of_order=_out_of_order(number, timetable.player[number]),
        arrived=int(np.count_nonzero(arrived)),
        delay=(at[first] - start - due)[in_window],
    )


def _groups(rooms: list[PlayedRoom], tallies: list[list[RoomTally]]) -> dict[str, GroupResult]:
    members: dict[str, tuple[list[PlayedRoom], list[RoomTally]]] = {}
    for room, room_tallies in zip(rooms, tallies, strict=True):
        group_rooms, group_tallies = members.setdefault(room.load.group, ([], []))
        group_rooms.append(room)
        group_tallies.extend(room_tallies)
    return {name: _group(*group) for name, group in members.items()}


def _group(rooms: list[PlayedRoom], tallies: list[RoomTally]) -> GroupResult:
    expected, delivered = sum(t.expected for t in tallies), sum(t.delivered for t in tallies)
    return GroupResult(
        sent=sum(room.timetable.due.size for room in rooms),
        expected=expected,
        delivered=delivered,
        missing=expected - delivered,
        repeated=sum(t.repeated for t in tallies),
        unknown=sum(t.unknown for t in tallies),
        out_of_order=sum(t.out_of_order for t in tallies),
        latency=summarise(np.concatenate([t.delay for t in tallies])),
    )


def _note_errors(timetable: Timetable, heard: Heard, start: float) -> NDArray[np.float64]:
    """Seconds by which each heard note is off the score, the listener's median delay taken off."""
    delay = heard.at - start - timetable.due[heard.number]
    return delay - np.median(delay) if delay.size else delay


def note_timings(timetable: Timetable, listeners: list[Heard], start: float) -> list[NoteTiming]:
    """The worst over all listeners for each event of a score; events that nobody heard are left out."""
    delay = np.full(timetable.due.size, -np.inf)
    error = np.full(timetable.due.size, -np.inf)
    for heard in listeners:
        np.maximum.at(delay, heard.number, heard.at - start - timetable.due[heard.number])
        np.maximum.at(error, heard.number, np.abs(_note_errors(timetable, heard, start)))
    rows = np.column_stack((timetable.due, delay * 1e3, error * 1e3))[np.isfinite(delay)]
    return [NoteTiming(*row) for row in rows.tolist()]


def _score_result(
    rooms: list[PlayedRoom], heard: list[list[Heard]], start: float
) -> tuple[list[NoteTiming], Summary | None]:
    """Timing of the first room that plays a score, and the errors of all such rooms."""
    scored = [
        (room, [only_known(room.timetable, ear) for ear in ears])
        for room, ears in zip(rooms, heard, strict=True)
        if room.load.midi
    ]
    if not scored:
        return [], None
    errors = [np.abs(_note_errors(room.timetable, ear, start)) for room, ears in scored for ear in ears]
    return note_timings(scored[0][0].timetable, scored[0][1], start), summarise(np.concatenate(errors))


def _errors(clients: list[Client]) -> dict[str, int]:
    return dict(sum((client.errors for client in clients), Counter[str]()))


def analyse(spec: LoadSpec, recording: Recording) -> LoadResult:
    """All the numbers of a run."""
    rooms, start, window = recording.rooms, recording.start, recording.window
    reader = event_reader(spec.dialect)
    heard = [[heard_by(client.reads, reader) for client in room.clients] for room in rooms]
    tallies = [
        [tally(room.timetable, seat, ear, start, window) for seat, ear in enumerate(ears)]
        for room, ears in zip(rooms, heard, strict=True)
    ]
    clients = [client for room in rooms for client in room.clients]
    notes, note_error = _score_result(rooms, heard, start)
    length = window[1] - window[0]
    return LoadResult(
        groups=_groups(rooms, tallies),
        window=length,
        delivered_in_window=sum(t.arrived for room in tallies for t in room),
        lateness=summarise(np.array(recording.sent) - start - np.array(recording.due)),
        load_cpu=recording.cpu.load / length,
        server_cpu=recording.cpu.server,
        other_cpu=recording.cpu.others / length,
        errors=_errors(clients),
        lost_connections=sum(client.lost for client in clients),
        notes=notes,
        note_error=note_error,
    )
