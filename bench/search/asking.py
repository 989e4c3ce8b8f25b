"""What players ask for: a word, the beginning of one while they type, filters, orders, and then the next page."""

from collections.abc import Callable, Sequence
from random import Random
from typing import Final

from msgspec import Struct

from bench.search.corpus import READER
from rhythmd.rows import Sheet, SheetCategory, SheetQuery, SheetSort

__all__ = ["KINDS", "Ask", "asks_for"]


class Ask(Struct, frozen=True):
    """A query, and the name of its kind."""

    kind: str
    query: SheetQuery


class _Player:
    """Asks for things that are in the library, since that is what players have come for.

    Args:
        chance: all choices.
        sheets: what a player knows.
    """

    def __init__(self, chance: Random, sheets: Sequence[Sheet]) -> None:
        self._chance = chance
        self._sheets = [sheet for sheet in sheets if sheet.title.isascii()]
        self._cyrillic = [sheet for sheet in sheets if "а" <= sheet.title[0].lower() <= "я"]
        self._japanese = [sheet for sheet in sheets if sheet.title[0] > "\u3000"]

    def sheet(self) -> Sheet:
        return self._chance.choice(self._sheets)

    def title_word(self) -> str:
        return max(self.sheet().title.split(), key=len).lower()

    def word(self) -> str:
        """A word of a title, an artist or a tag, as often as sheets have it."""
        sheet = self.sheet()
        return self._chance.choice([*sheet.title.split(), *sheet.artist.split(), *sheet.tags]).lower()

    def beginning(self, letters: int) -> str:
        return self.title_word()[:letters]

    def two_words(self) -> str:
        sheet = self.sheet()
        return f"{sheet.title.split()[0]} {self._chance.choice(sheet.artist.split())}".lower()

    def words_apart(self) -> str:
        """Two words of two sheets; few sheets have both."""
        return f"{self.title_word()} {self.title_word()}"

    def next_words(self) -> str:
        """Two words that stand beside each other, the second of them not yet typed to its end."""
        first, second, *_ = self.sheet().title.split()
        return f"{first} {second[:3]}"

    def japanese(self) -> str:
        title = self._chance.choice(self._japanese).title
        return title.split()[0][: self._chance.randint(1, 3)]

    def cyrillic(self) -> str:
        return self._chance.choice(self._chance.choice(self._cyrillic).title.split()).lower()

    def tag(self) -> str:
        return next(sheet.tags[0] for sheet in self._chance.choices(self._sheets, k=100) if sheet.tags)

    def order(self) -> SheetSort:
        return self._chance.choice((SheetSort.NEWEST, SheetSort.OLDEST, SheetSort.VIEWED))


_Kind = Callable[[_Player], SheetQuery]
KINDS: Final[dict[str, _Kind]] = {
    "one word": lambda player: SheetQuery(text=player.word()),
    "two words": lambda player: SheetQuery(text=player.two_words()),
    "two words of two sheets": lambda player: SheetQuery(text=player.words_apart()),
    "a word and a beginning": lambda player: SheetQuery(text=player.next_words()),
    "1 letter": lambda player: SheetQuery(text=player.beginning(1)),
    "2 letters": lambda player: SheetQuery(text=player.beginning(2)),
    "3 letters": lambda player: SheetQuery(text=player.beginning(3)),
    "5 letters": lambda player: SheetQuery(text=player.beginning(5)),
    "Japanese": lambda player: SheetQuery(text=player.japanese()),
    "Cyrillic": lambda player: SheetQuery(text=player.cyrillic()),
    "no such word": lambda player: SheetQuery(text=f"{player.title_word()}xq"),
    "no text, an order": lambda player: SheetQuery(sort=player.order()),
    "a word, an order": lambda player: SheetQuery(text=player.word(), sort=player.order()),
    "1 letter, most viewed": lambda player: SheetQuery(text=player.beginning(1), sort=SheetSort.VIEWED),
    "a tag": lambda player: SheetQuery(tag=player.tag(), sort=player.order()),
    "a category and a difficulty": lambda player: SheetQuery(
        category=player.sheet().category, difficulty=player.sheet().difficulty
    ),
    "a word in a category": lambda player: SheetQuery(text=player.word(), category=SheetCategory.MULTIPLAYER_PIANO),
    "a word with a tag": lambda player: SheetQuery(text=player.word(), tag=player.tag()),
    "a creator": lambda player: SheetQuery(creator=player.sheet().creator_id),
    "a word of a creator": lambda player: SheetQuery(text=player.word(), creator=player.sheet().creator_id),
    "favourites": lambda player: SheetQuery(viewer=READER, favorite=True),
    "a word in favourites": lambda player: SheetQuery(text=player.word(), viewer=READER, favorite=True),
}


def asks_for(sheets: Sequence[Sheet], each: int, seed: str) -> list[Ask]:
    """So many queries of each kind, shuffled; the same for the same sheets and seed."""
    chance = Random(f"{seed} asks")
    player = _Player(chance, [sheet for sheet in sheets if sheet.approval == "approved"])
    asks = [Ask(kind, make(player)) for kind, make in KINDS.items() for _ in range(each)]
    chance.shuffle(asks)
    return asks
