"""A score played: its bars in order, ties joined, times in ticks."""

from collections.abc import Iterator
from fractions import Fraction
from typing import Final, NamedTuple, TypeVar

from rhythmd.sheets.formats.bounds import MAX_NOTES, checked_notes
from rhythmd.sheets.formats.performance import TICKS_PER_QUARTER, Performance, Sounding, Track
from rhythmd.sheets.formats.score import DRUMS, Bar, Part, Score
from rhythmd.sheets.formats.unrolling import play_order

__all__ = ["DEFAULT_TEMPO", "perform"]

DEFAULT_TEMPO: Final = 120.0
"""Quarters a minute of a score that says nothing."""

_MELODIC_CHANNELS: Final = tuple(channel for channel in range(16) if channel != DRUMS)
_TIE_GAP: Final = 2  # ticks between the ends of tied notes, from rounding
_MOST_TIED: Final = 8  # notes of one key in one part that are tied at a time: more than hands and layers

ValueT = TypeVar("ValueT")


class _Event(NamedTuple):
    """A written note in ticks of its bar; `end` is where a tied note goes on, `until` where the key is released."""

    start: int
    end: int
    until: int
    key: int
    velocity: int
    staff: int
    is_tied_back: bool
    is_tied_on: bool


class _Tied(NamedTuple):
    """A note that waits for what it is tied to: its number among those played, and the tick at which it goes on."""

    number: int
    staff: int
    due: int


class _Visit(NamedTuple):
    """A bar that is played: its index, and the tick at which that begins."""

    bar: int
    tick: int


def perform(score: Score) -> Performance:
    """The music of a score, with repeats played.

    Raises:
        RefusedFile: it is beyond a bound.
    """
    order = play_order(score.bars, score.sections)
    _check_notes(score, order)
    events = [_events(part) for part in score.parts]
    for measures in events:
        if order and order[0] < len(measures):
            measures[order[0]] = _begun_on_the_beat(measures[order[0]])
    visits = _visits(score.bars, order)
    performance = Performance(score.title)
    _add_common(performance, score.bars, visits)
    for number, (part, measures) in enumerate(zip(score.parts, events, strict=True)):
        channel = DRUMS if part.is_drums else _MELODIC_CHANNELS[number % len(_MELODIC_CHANNELS)]
        performance.tracks += _tracks(part, measures, visits, channel)
    performance.clean()
    return performance


def _check_notes(score: Score, order: list[int]) -> None:
    """Refuse too many notes before they are made."""
    sizes = [0] * len(score.bars)
    for part in score.parts:
        for number, measure in enumerate(part.measures):
            sizes[number] += len(measure.notes)
    total = 0
    for bar in order:
        total += sizes[bar]
        if total > 2 * MAX_NOTES:  # tied notes are fewer than what is written
            checked_notes(total)


def _ticks(quarters: Fraction) -> int:
    return round(quarters * TICKS_PER_QUARTER)


def _events(part: Part) -> list[list[_Event]]:
    """The notes of each measure as they begin, with velocities."""
    curve = part.expression.curve()
    measures: list[list[_Event]] = []
    for measure in part.measures:
        events: list[_Event] = []
        for note in measure.notes:
            start, end = _ticks(note.start), _ticks(note.start + note.length)
            until = max(start + 1, start + round((end - start) * note.gate))
            velocity = curve.at(measure.start + max(Fraction(0), note.start), note.boost)
            ties = note.is_tied_back, note.is_tied_on
            events.append(_Event(start, end, until, note.key, velocity, note.staff, *ties))
        measures.append(sorted(events))
    return measures


def _begun_on_the_beat(events: list[_Event]) -> list[_Event]:
    """The first bar, in which grace notes before the first beat take their time from the notes on it."""
    lead = -min((event.start for event in events), default=0)
    if lead <= 0:
        return events
    shifted = [_shifted(event, lead) for event in events]
    return sorted(shifted)


def _shifted(event: _Event, lead: int) -> _Event:
    if event.start < 0:
        return event._replace(start=event.start + lead, end=event.end + lead, until=event.until + lead)
    if event.start == 0 and event.until > 2 * lead:
        return event._replace(start=lead)
    return event


def _visits(bars: list[Bar], order: list[int]) -> list[_Visit]:
    now = Fraction(0)
    visits: list[_Visit] = []
    for bar in order:
        visits.append(_Visit(bar, _ticks(now)))
        now += bars[bar].length
    return visits


def _add_common(performance: Performance, bars: list[Bar], visits: list[_Visit]) -> None:
    """Tempo, metre and key: what is in force at a bar as written counts whenever that is played."""
    tempos = _in_force(visits, [[(_ticks(at), tempo) for at, tempo in bar.tempos] for bar in bars], DEFAULT_TEMPO)
    performance.tempos = [(tick, round(60_000_000 / tempo)) for tick, tempo in tempos]
    metres = _in_force(visits, [[(0, bar.metre)] if bar.metre else [] for bar in bars], (4, 4))
    performance.metres = [(tick, beats, beat_type) for tick, (beats, beat_type) in metres]
    keys = _in_force(visits, [[(0, bar.key)] if bar.key else [] for bar in bars], (0, False))
    performance.keys = [(tick, sharps, is_minor) for tick, (sharps, is_minor) in keys]


def _in_force(
    visits: list[_Visit], written: list[list[tuple[int, ValueT]]], default: ValueT
) -> Iterator[tuple[int, ValueT]]:
    """The changes of a value as the bars are played: tick and new value; none if none is written.

    Of those at one tick, the last one counts.
    """
    if not any(written):
        return
    value = default
    at_bar: list[ValueT] = []
    for changes in written:
        at_bar.append(value)
        value = changes[-1][1] if changes else value
    played: dict[int, ValueT] = {}
    for visit in visits:
        changes = written[visit.bar]
        if not changes or changes[0][0] > 0:
            changes = [(0, at_bar[visit.bar]), *changes]
        played.update((visit.tick + tick, changed) for tick, changed in changes)
    current: ValueT | None = None
    for tick in sorted(played):
        if played[tick] != current:
            current = played[tick]
            yield tick, current


def _tracks(part: Part, measures: list[list[_Event]], visits: list[_Visit], channel: int) -> list[Track]:
    """A track for each staff that has notes; the pedal is in the first one."""
    notes: dict[int, list[Sounding]] = {}
    for staff, note in _joined(measures, visits):
        notes.setdefault(staff, []).append(note)
    name = part.name or "Piano"
    tracks = [
        Track(f"{name} ({staff})" if len(notes) > 1 else name, channel, part.program, notes[staff])
        for staff in sorted(notes)
    ]
    if tracks:
        tracks[0].pedal = [
            (visit.tick + _ticks(at), value)
            for visit in visits
            if visit.bar < len(part.measures)
            for at, value in part.measures[visit.bar].pedal
        ]
    return tracks


def _joined(measures: list[list[_Event]], visits: list[_Visit]) -> list[tuple[int, Sounding]]:
    """Staff and note of everything that sounds; a tied note is one with what it goes on as."""
    played: list[tuple[int, Sounding]] = []
    tied: dict[int, list[_Tied]] = {}  # by key, of which two hands or layers may each have a tied note
    for visit in visits:
        for event in measures[visit.bar] if visit.bar < len(measures) else ():
            start = visit.tick + event.start
            waiting = [before for before in tied.pop(event.key, ()) if before.due >= start - _TIE_GAP]
            found = [before for before in waiting if event.is_tied_back and before.due <= start + _TIE_GAP]
            if found:
                before = min(found, key=lambda before: before.staff != event.staff)
                waiting.remove(before)
                index = before.number
                staff, note = played[index]
                played[index] = staff, note._replace(end=visit.tick + event.until)
            else:
                index = len(played)
                note = Sounding(start, visit.tick + event.until, event.key, event.velocity)
                played.append((event.staff, note))
            if event.is_tied_on:
                waiting.append(_Tied(index, event.staff, visit.tick + event.end))
            if waiting:
                tied[event.key] = waiting[-_MOST_TIED:]
    return played
