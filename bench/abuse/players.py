"""The honest ones' process: `python -m bench.abuse.players SPEC`, with a `PlayersSpec` as JSON.

Two players play to each other by a timetable and ask for the time; a visitor comes for an errand again and
again. It says `ready` when both are in their room, reads a line with the moment to start, and answers with a
`PlayersResult`.
"""

import asyncio
import gc
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass
from operator import itemgetter
from time import monotonic
from typing import Final

import msgspec
import numpy as np
import uvloop
from numpy.typing import NDArray

from bench.abuse.spec import Phase, PhaseResult, PlayersResult, PlayersSpec
from bench.abuse.visitor import Visitor, Visits
from bench.abuse.words import MASK
from bench.load.analysis import heard_by, only_known
from bench.load.client import Client
from bench.load.frames import events_of_rhythmd, whole_frames
from bench.load.process import READY
from bench.load.sender import Sender
from bench.load.timetable import Timetable, evenly, frames_of
from bench.statistics import Summary, summarise
from rhythm_protocol.binary import OP_CLOCK, decode_clock_reply, encode_clock_request
from rhythm_protocol.messages import RoomSettings, RoomType
from rhythm_protocol.websocket import BINARY, client_frame

__all__ = ["play", "summary_of"]

_PLAYERS: Final = 2
_ROOM: Final = "quiet corner"
_CLOCKS_PER_S: Final = 10.0
_DRAIN_S: Final = 30.0
_LOOK_S: Final = 0.1
_PRIORITY: Final = 10


@dataclass(frozen=True)
class _Duet:
    """Two clients, what they play, and when (s) each question for the time is due; who asks it is its number's rest."""

    clients: list[Client]
    timetable: Timetable
    asked: NDArray[np.float64]


def _programme(spec: PlayersSpec, duet: _Duet, server_now: float) -> Sender:
    writes = [client.transport.write for client in duet.clients]
    notes = frames_of(duet.timetable, server_now * 1e3, np.random.default_rng(spec.seed))
    entries: list[tuple[float, Callable[[bytes], None], bytes]] = [
        (due, writes[player], frame)
        for due, player, frame in zip(duet.timetable.due.tolist(), duet.timetable.player.tolist(), notes, strict=True)
    ]
    entries += (
        (due, writes[number % _PLAYERS], client_frame(BINARY, encode_clock_request(number), MASK))
        for number, due in enumerate(duet.asked.tolist())
    )
    entries.sort(key=itemgetter(0))
    return Sender(*(list(column) for column in zip(*entries, strict=True)))


def _answers(clients: Iterable[Client]) -> list[tuple[int, float]]:
    """Each answered question's number, and when its answer came."""
    found = []
    for client in clients:
        for moment, data in client.reads:
            for opcode, start, stop in whole_frames(data):
                if opcode == BINARY and start < stop and data[start] == OP_CLOCK:
                    found.append((decode_clock_reply(data[start:stop]).value, moment))
    return found


def _has_all(duet: _Duet) -> bool:
    heard = sum(events_of_rhythmd(data, bytearray()) for client in duet.clients for _, data in client.reads)
    return heard >= duet.timetable.due.size and len(_answers(duet.clients)) >= duet.asked.size


async def _drain(duet: _Duet) -> None:
    """Wait for what is late; what has not come after 30 s is lost."""
    deadline = monotonic() + _DRAIN_S
    while monotonic() < deadline and not _has_all(duet):
        if all(client.lost for client in duet.clients):
            return
        await asyncio.sleep(_LOOK_S)


def _delays(duet: _Duet, start: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Of each note and of each answer, in order of their numbers: seconds, or NaN where it never came."""
    notes = np.full(duet.timetable.due.size, np.nan)
    for seat, client in enumerate(duet.clients):
        heard = only_known(duet.timetable, heard_by(client.reads, events_of_rhythmd))
        foreign = duet.timetable.player[heard.number] != seat
        notes[heard.number[foreign]] = (heard.at - start - duet.timetable.due[heard.number])[foreign]
    answers = np.full(duet.asked.size, np.nan)
    for number, moment in _answers(duet.clients):
        answers[number] = moment - start - duet.asked[number]
    return notes, answers


def summary_of(delay: NDArray[np.float64], due: NDArray[np.float64], phase: Phase) -> tuple[Summary, int]:
    """A summary of what was due in a phase and came, and how much did not come."""
    within = delay[(due >= phase.begin) & (due < phase.end)]
    return summarise(within[~np.isnan(within)]), int(np.count_nonzero(np.isnan(within)))


def _result(spec: PlayersSpec, duet: _Duet, visits: Visits, start: float, late: NDArray[np.float64]) -> PlayersResult:
    notes, answers = _delays(duet, start)
    phases = {}
    for phase in spec.phases:
        note_summary, notes_lost = summary_of(notes, duet.timetable.due, phase)
        clock_summary, answers_lost = summary_of(answers, duet.asked, phase)
        good = [took for began, took in visits.good if phase.begin <= began < phase.end]
        bad = Counter(why for began, why in visits.bad if phase.begin <= began < phase.end)
        phases[phase.name] = PhaseResult(
            note_summary, clock_summary, notes_lost + answers_lost, summarise(np.array(good)), dict(bad)
        )
    errors = sum((client.errors for client in duet.clients), Counter[str]())
    errors["connection lost"] += sum(client.lost for client in duet.clients)
    return PlayersResult(phases, summarise(late), dict(+errors))


async def play(spec: PlayersSpec, told_to_start: Callable[[], float]) -> PlayersResult:
    """Do the whole run; `told_to_start` is called, and blocks, when all is ready. Raises Refused or OSError."""
    settings = RoomSettings(type=RoomType.UNLISTED, max_players=_PLAYERS)
    visitor = Visitor(spec.host, spec.port, spec.errand, tls=spec.tls)
    await visitor.prepare()
    clients = []
    for source in spec.sources:
        clients.append(await Client.connect_rhythmd(spec.host, spec.port, source, tls=spec.tls))
        await clients[-1].join(_ROOM, settings)
    seconds = max(phase.end for phase in spec.phases)
    rng = np.random.default_rng(spec.seed)
    asked = np.arange(int(seconds * _CLOCKS_PER_S)) / _CLOCKS_PER_S + rng.random() / _CLOCKS_PER_S
    duet = _Duet(clients, evenly(_PLAYERS, spec.rate, seconds, rng), asked)
    sender = _programme(spec, duet, monotonic() + await clients[0].server_clock_ahead())
    start = await asyncio.to_thread(told_to_start)
    gc.collect()
    gc.freeze()
    gc.disable()  # a collection would stop the clock of everything that arrives meanwhile
    for client in clients:
        client.reads.clear()
    visiting = asyncio.create_task(visitor.keep_coming(start))
    await sender.play(start)
    await _drain(duet)
    visiting.cancel()
    due = np.sort(np.concatenate((duet.timetable.due, asked)))
    result = _result(spec, duet, visitor.visits, start, np.array(sender.sent) - start - due)
    for client in clients:
        client.close()
    return result


def _told_to_start() -> float:
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    return msgspec.json.decode(sys.stdin.buffer.readline(), type=float)


def main() -> None:
    # A player that waited for its core would blame the server for it.
    with suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(_PRIORITY))
    spec = msgspec.json.decode(sys.argv[1], type=PlayersSpec)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(play(spec, _told_to_start))))


if __name__ == "__main__":
    main()
