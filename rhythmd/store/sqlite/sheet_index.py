"""What a sheet is found by in SQLite: its words, and further words that stand for all that can be filtered by.

FTS5 takes words and filters together and has what agrees with all of them in order, without a look at the sheets. A
word for a filter begins with a character that no word of a text has, so no text of a user finds it.
"""

import sqlite3
from collections.abc import Iterator
from typing import Final, NamedTuple

from rhythmd.rows import Approval, Sheet, SheetPrivacy, SheetQuery, SheetScope
from rhythmd.store.words import index_words

__all__ = ["Words", "filters_of", "index_sheet", "unindex_sheet", "words_of"]

_MARK: Final = "\ue000"  # of Unicode's private use area: neither a letter nor a digit nor an accent


class Words(NamedTuple):
    """Words that a sheet has to have: all or any of them, as they are or as beginnings, anywhere or in the title."""

    words: tuple[str, ...]
    whole: bool = True
    any_of: bool = False
    in_title: bool = False

    @property
    def expression(self) -> str:
        """The same for FTS5. Each word is in quotes, and there are none in it."""
        each = (f'"{word}"' if self.whole else f'"{word}" *' for word in self.words)
        joined = f"({(' OR ' if self.any_of else ' AND ').join(each)})"
        return f"{{title_words}} : {joined}" if self.in_title else joined

    @property
    def condition(self) -> str:
        """The same as SQL on a row of `sheet_words`, with a value for each word: `values`."""
        text = "' ' || title_words || ' '" if self.in_title else "' ' || title_words || ' ' || other_words || ' '"
        return f"({(' OR ' if self.any_of else ' AND ').join([f'instr({text}, ?)'] * len(self.words))})"

    @property
    def values(self) -> list[str]:
        return [f" {word} " if self.whole else f" {word}" for word in self.words]


def _mark(kind: str, value: str = "") -> str:
    """The word of a filter; a value may be any text."""
    return f"{_MARK}{kind}{value.encode().hex()}"


def _marks(sheet: Sheet) -> Iterator[str]:
    is_public = sheet.privacy is SheetPrivacy.PUBLIC
    is_rejected = sheet.approval is Approval.REJECTED or bool(sheet.rejection)
    if is_public:
        yield _mark(SheetScope.PUBLIC)
    if is_public and sheet.approval is Approval.APPROVED:
        yield _mark(SheetScope.LISTED)
    if sheet.privacy is not SheetPrivacy.PRIVATE and not is_rejected:
        yield _mark(SheetScope.READABLE)
    yield _mark("creator", sheet.creator_id)
    yield _mark("category", sheet.category)
    yield _mark("difficulty", sheet.difficulty)
    yield _mark("approval", sheet.approval)
    yield from (_mark("tag", tag) for tag in sheet.tags)


def filters_of(query: SheetQuery) -> list[Words]:
    """What a query asks for, but for its text and for favourites."""
    own = _mark("creator", query.viewer)
    scopes = {
        SheetScope.OWN: Words((own,)),
        SheetScope.READABLE: Words((own, _mark(SheetScope.READABLE)), any_of=True),
    }
    wanted = {
        "category": query.category,
        "difficulty": query.difficulty,
        "tag": query.tag,
        "creator": query.creator,
        "approval": query.approval,
    }
    given = tuple(_mark(kind, value) for kind, value in wanted.items() if value is not None)
    scope = scopes.get(query.scope, Words((_mark(query.scope),)))
    return [scope, Words(given)] if given else [scope]


def words_of(sheet: Sheet) -> tuple[str, str]:
    """What is indexed of a sheet: the words of its title, and all others."""
    title = index_words([sheet.title])
    others = index_words([sheet.artist, sheet.album, *sheet.tags, sheet.creator])
    return " ".join(title), " ".join([*others, *_marks(sheet)])


def index_sheet(connection: sqlite3.Connection, sheet: Sheet) -> None:
    """Let a sheet be found by what it is now."""
    unindex_sheet(connection, sheet.number)
    values = (sheet.number, *words_of(sheet))
    connection.execute("INSERT INTO sheet_words (rowid, title_words, other_words) VALUES (?, ?, ?)", values)


def unindex_sheet(connection: sqlite3.Connection, number: int) -> None:
    """Let a sheet no longer be found."""
    connection.execute("DELETE FROM sheet_words WHERE rowid = ?", (number,))
