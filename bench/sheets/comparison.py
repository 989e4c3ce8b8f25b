"""Two readings of a piece, note by note: what agrees, and of what kind each disagreement is."""

from bisect import bisect_left
from collections import Counter, defaultdict
from typing import Final

from msgspec import Struct, field

from bench.sheets.peers import Reading, SheetNote

__all__ = ["Comparison", "Kind", "compare"]

_SAME: Final = 0.02  # quarters between beginnings that count as one: peers round to a 120th
_SHORT: Final = 0.3  # a grace note's length, at most
_NEAR: Final = 0.8  # how far from another a grace note may be placed, and move its main note
_ENDS: Final = 0.3
_LENGTH: Final = 0.1

# A reading is followed elsewhere when most of so many notes are there, at most so many quarters away.
_AHEAD: Final = 24
_MOST: Final = 0.8
_AWAY: Final = 1_000.0
_PATIENCE: Final = 4  # notes without a partner, before another place is looked for


class Kind:
    """Names of the kinds of disagreement."""

    REPEATS: Final = "the bars are played in another order, or other times"
    BARS: Final = "the same notes, but bars of another length"
    GRACES: Final = "grace notes have another place, or take time from another note"
    OCTAVE: Final = "another octave"
    ACCIDENTAL: Final = "a semitone apart"
    PITCH: Final = "another pitch at the same time"
    ONLY_HERE: Final = "a note only here"
    ONLY_THERE: Final = "a note only in the peer's reading"


class Comparison(Struct):
    """The result for one piece.

    Attributes:
        ours, theirs: how many notes each has; of notes with one key and one beginning only one counts.
        agreed: notes with the same beginning and key.
        followed: notes of ours that the peer has, too, when its bars may be longer, shorter or in another order.
        lengths: of these, those whose lengths differ by more than a tenth of a quarter.
        kinds: notes of either that have no partner, by kind.
    """

    ours: int
    theirs: int
    agreed: int
    followed: int
    lengths: int
    kinds: Counter[str] = field(default_factory=Counter)


def compare(ours: Reading, theirs: Reading) -> Comparison:
    """Our reading against a peer's."""
    mine, other = _distinct(ours), _distinct(theirs)
    pairs, mine_left, other_left = _paired(mine, other)
    lengths = sum(1 for one, another in pairs if abs(one.length - another.length) > _LENGTH)
    result = Comparison(len(mine), len(other), len(pairs), len(pairs), lengths)
    if mine_left or other_left:
        result.followed = max(len(pairs), _Follower(other).follow(mine))
        result.kinds = _kinds(mine, other, mine_left, other_left)
    return result


def _distinct(notes: Reading) -> Reading:
    """The notes in order, of those that begin as one with the same key only the longest."""
    last: dict[int, int] = {}
    result: Reading = []
    for note in sorted(notes):
        index = last.get(note.key)
        if index is not None and note.start - result[index].start <= _SAME:
            longest = max(note.length, result[index].length)
            result[index] = result[index]._replace(length=longest)
        else:
            last[note.key] = len(result)
            result.append(note)
    return result


def _paired(mine: Reading, other: Reading) -> tuple[list[tuple[SheetNote, SheetNote]], Reading, Reading]:
    """Pairs of notes that agree, and those without a partner."""
    waiting: dict[int, list[SheetNote]] = defaultdict(list)
    for note in reversed(other):
        waiting[note.key].append(note)
    pairs: list[tuple[SheetNote, SheetNote]] = []
    mine_left: Reading = []
    other_left: Reading = []
    for note in mine:
        candidates = waiting[note.key]
        while candidates and candidates[-1].start < note.start - _SAME:
            other_left.append(candidates.pop())
        if candidates and candidates[-1].start <= note.start + _SAME:
            pairs.append((note, candidates.pop()))
        else:
            mine_left.append(note)
    other_left += (note for candidates in waiting.values() for note in candidates)
    return pairs, mine_left, sorted(other_left)


def _kinds(mine: Reading, other: Reading, mine_left: Reading, other_left: Reading) -> Counter[str]:
    count = len(mine_left) + len(other_left)
    if abs(_end(mine) - _end(other)) > _ENDS:
        is_same_music = abs(len(mine) - len(other)) <= max(2, len(mine) // 50)
        return Counter({Kind.BARS if is_same_music else Kind.REPEATS: count})
    kinds: Counter[str] = Counter()
    rest = other_left
    for note in mine_left:
        kind, partner = _kind(note, rest)
        kinds[kind] += 1 if partner is None else 2
        rest = [another for another in rest if another is not partner]
    if rest:
        kinds[Kind.ONLY_THERE] += len(rest)
    return kinds


def _end(notes: Reading) -> float:
    return max((note.start + note.length for note in notes), default=0.0)


def _kind(note: SheetNote, others: Reading) -> tuple[str, SheetNote | None]:
    """Why a note has no partner, and the note that it is instead of in the other reading."""
    near = [another for another in others if abs(another.start - note.start) <= _NEAR]
    same_key = [another for another in near if another.key == note.key]
    if same_key:
        return Kind.GRACES, same_key[0]
    at_once = [another for another in near if abs(another.start - note.start) <= _SAME]
    ranked = sorted((_interval(another.key - note.key), another) for another in at_once)
    if ranked:
        return _INTERVALS[ranked[0][0]], ranked[0][1]
    return (Kind.GRACES if note.length <= _SHORT and near else Kind.ONLY_HERE), None


_INTERVALS: Final = (Kind.OCTAVE, Kind.ACCIDENTAL, Kind.PITCH)


def _interval(steps: int) -> int:
    """The index in `_INTERVALS` of so many semitones."""
    if steps % 12 == 0:
        return 0
    return 1 if abs(steps) == 1 else 2


class _Follower:
    """A peer's reading, in which ours is followed as somebody does who turns the pages of another edition."""

    def __init__(self, other: Reading) -> None:
        self._starts: dict[int, list[float]] = defaultdict(list)
        for note in other:
            self._starts[note.key].append(note.start)

    def follow(self, mine: Reading) -> int:
        """How many of our notes are there."""
        offset, found, missed = 0.0, 0, 0
        for index, note in enumerate(mine):
            if self._has(note, offset):
                found, missed = found + 1, 0
                continue
            missed += 1
            if missed % _PATIENCE == 0:
                offset = self._elsewhere(mine[index : index + _AHEAD], offset)
                found += self._has(note, offset)
        return found

    def _has(self, note: SheetNote, offset: float) -> bool:
        starts, at = self._starts[note.key], note.start + offset
        index = bisect_left(starts, at - _SAME)
        return index < len(starts) and starts[index] <= at + _SAME

    def _elsewhere(self, ahead: Reading, offset: float) -> float:
        """The nearest offset at which most of the notes ahead are there; the old one if there is none."""
        expected = ahead[0].start + offset
        for start in sorted(self._starts[ahead[0].key], key=lambda start: abs(start - expected)):
            if abs(start - expected) > _AWAY:
                break
            tried = start - ahead[0].start
            if sum(self._has(note, tried) for note in ahead) >= _MOST * len(ahead):
                return tried
        return offset
