"""Made-up sheets whose words are as unevenly frequent as those of a real library, in three scripts.

The k-th word of each list is chosen about 1/k as often as the first one (Zipf's law). The same seed gives the same
sheets, and a shorter library is the beginning of a longer one.
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Final

import msgspec

from rhythmd.rows import Approval, Difficulty, ScoreFacts, Sheet, SheetCategory, SheetFile, SheetPrivacy

__all__ = ["FILE", "READER", "made_up_sheets"]

READER: Final = "reader"
"""The account that has favourites."""

_STARTED: Final = 1_700_000_000_000
_MINUTE_MS: Final = 60_000
_CREATORS: Final = 3_000
_LISTED: Final = 0.9
FILE: Final = SheetFile(
    hash="0" * 64,
    id="0" * 32,
    extension=".mid",
    size=4_000,
    midi_size=2_000,
    facts=ScoreFacts(category=SheetCategory.MIDI),
    created=_STARTED,
    used=_STARTED,
)


_DATA: Final = Path(__file__).parents[1] / "data" / "library.json"
_VOCABULARY: Final = {
    name: words.split("|") for name, words in msgspec.json.decode(_DATA.read_bytes(), type=dict[str, str]).items()
}
"""The words that everything is made of: whole ones, and parts of words. Frequent ones come first."""


class _Words:
    """Made-up words of one script, the first ones frequent and the last ones rare."""

    def __init__(self, chance: Random, count: int, parts: Sequence[str], shortest: int, longest: int) -> None:
        made = ("".join(chance.choices(parts, k=chance.randint(shortest, longest))) for _ in range(count))
        self._words = list(dict.fromkeys(made))

    def some(self, chance: Random, count: int) -> list[str]:
        return [_pick(chance, self._words).capitalize() for _ in range(count)]


def _pick(chance: Random, values: Sequence[str]) -> str:
    return values[_rank(chance, len(values))]


def _rank(chance: Random, count: int) -> int:
    """A number below `count`: k about 1/(k + 1) as often as 0."""
    return min(count - 1, int(math.exp(chance.random() * math.log(count + 1))) - 1)


class _Writer:
    """Makes up titles and all that stands beside them."""

    def __init__(self, chance: Random) -> None:
        self._chance = chance
        self._latin = _Words(chance, 20_000, _VOCABULARY["latin_parts"], 2, 4)
        self._cyrillic = _Words(chance, 6_000, _VOCABULARY["cyrillic_parts"], 2, 4)
        self._kana = _Words(chance, 4_000, _VOCABULARY["kana"], 2, 4)
        self._kanji = _Words(chance, 4_000, _VOCABULARY["kanji"], 1, 3)

    def title(self) -> str:
        chance = self._chance
        script = chance.random()
        if script < 0.2:
            written = [
                *self._kanji.some(chance, 1),
                *self._kana.some(chance, 1),
                _pick(chance, _VOCABULARY["japanese_forms"]),
            ]
            return "の".join(chance.sample(written, 2)) + (f" 第{chance.randint(1, 9)}番" if script < 0.05 else "")
        if script < 0.35:
            return " ".join(
                [*self._cyrillic.some(chance, chance.randint(1, 2)), _pick(chance, _VOCABULARY["cyrillic_forms"])]
            )
        words = [*self._latin.some(chance, chance.randint(1, 3)), _pick(chance, _VOCABULARY["forms"])]
        number = f" No. {chance.randint(1, 24)}" if chance.random() < 0.3 else ""
        return f"{' '.join(words)}{number}"

    def album(self) -> str:
        return " ".join(self._latin.some(self._chance, 2)) if self._chance.random() < 0.4 else ""

    def artist(self) -> str:
        known = self._chance.random() < 0.7
        return _pick(self._chance, _VOCABULARY["composers"]) if known else " ".join(self._latin.some(self._chance, 2))

    def creator(self) -> tuple[str, str]:
        """The id and the usertag of an account."""
        rank = _rank(self._chance, _CREATORS)
        return f"user{rank}", f"player{rank}"

    def tags(self) -> tuple[str, ...]:
        count = self._chance.choice((0, 1, 2, 3, 3))
        return tuple(dict.fromkeys(_pick(self._chance, _VOCABULARY["tags"]) for _ in range(count)))

    def states(self) -> tuple[SheetPrivacy, Approval]:
        """Whom a sheet is for, and what an editor says of it."""
        if self._chance.random() < _LISTED:
            return SheetPrivacy.PUBLIC, Approval.APPROVED
        unlisted = [(privacy, approval) for privacy in SheetPrivacy for approval in Approval]
        unlisted.remove((SheetPrivacy.PUBLIC, Approval.APPROVED))
        return self._chance.choice(unlisted)

    def views(self) -> int:
        return int(self._chance.paretovariate(0.8)) - 1

    def category(self) -> SheetCategory:
        return SheetCategory(_pick(self._chance, tuple(SheetCategory)))

    def difficulty(self) -> Difficulty:
        return Difficulty(_pick(self._chance, tuple(Difficulty)))


def made_up_sheets(seed: int) -> Iterator[Sheet]:
    """Sheets without end, each a minute newer than the one before. All have the content of `FILE`."""
    writer = _Writer(Random(f"{seed} sheets"))
    number = 0
    while True:
        number += 1
        creator_id, creator = writer.creator()
        privacy, approval = writer.states()
        title = writer.title()
        yield Sheet(
            id=f"{number:032x}",
            number=number,
            hash=FILE.hash,
            size=FILE.size,
            file_name=f"{title}.mid",
            title=title,
            artist=writer.artist(),
            album=writer.album(),
            description="A piece that somebody has played, written down and would like to hear from others. " * 2,
            tags=writer.tags(),
            difficulty=writer.difficulty(),
            privacy=privacy,
            approval=approval,
            creator_id=creator_id,
            creator=creator,
            created=_STARTED + number * _MINUTE_MS,
            updated=_STARTED + number * _MINUTE_MS,
            views=writer.views(),
            category=writer.category(),
            tempo=120.0,
            key="C major",
            time_signature="4/4",
            duration_ms=180_000,
            notes=1_000,
            parts=2,
        )
