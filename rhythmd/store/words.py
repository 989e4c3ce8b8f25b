"""The words of a text, as sheets are found by them: the same for every database.

A database's own way to split a text knows too little (SQLite's takes a line of Japanese for one word) or differs from
the other's. So both are given words that were made here: without case, without accents, in one Unicode form. Scripts
that put no spaces between words are cut into pairs of neighbouring characters.
"""

import re
import unicodedata
from collections.abc import Iterable
from itertools import chain
from typing import Final

__all__ = ["END", "index_words", "query_words"]

END: Final = "\U0010ffff"
"""After all characters that a word can have: `word + END` is behind all words that begin with `word`."""

_ACCENT: Final = 10  # combining classes from here on; below are the voicing of kana, nuktas and viramas
_LETTERS: Final = str.maketrans({"ø": "o", "ł": "l", "đ": "d", "ð": "d", "þ": "th", "æ": "ae", "œ": "oe", "ı": "i"})
# Han and kana, then Thai, Lao, Burmese and Khmer.
_UNSPACED: Final = re.compile(
    "[\u2e80-\u2fdf\u3005-\u3007\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]+"
)


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", text).casefold())
    apart = unicodedata.normalize("NFKD", folded)
    kept = "".join(character for character in apart if unicodedata.combining(character) < _ACCENT)
    return unicodedata.normalize("NFC", kept).translate(_LETTERS)


def _is_of_word(character: str) -> bool:
    return unicodedata.category(character)[0] in "LNM"


def _runs(text: str) -> Iterable[str]:
    return "".join(character if _is_of_word(character) else " " for character in _plain(text)).split()


def _pairs(run: str) -> Iterable[str]:
    """Each character with the next one; what a search's character begins is found by that."""
    return (run[at : at + 2] for at in range(len(run)))


def _split(run: str, *, last: bool) -> Iterable[str]:
    """The words of a run without spaces. A query leaves out the last character: its pair before has it."""
    position = 0
    for found in _UNSPACED.finditer(run):
        if found.start() > position:
            yield run[position : found.start()]
        pairs = list(_pairs(found[0]))
        yield from pairs if last or len(pairs) == 1 else pairs[:-1]
        position = found.end()
    if position < len(run):
        yield run[position:]


def index_words(texts: Iterable[str]) -> list[str]:
    """The words that these texts are found by, each once, in their order."""
    runs = chain.from_iterable(_runs(text) for text in texts)
    return list(dict.fromkeys(chain.from_iterable(_split(run, last=True) for run in runs)))


def query_words(text: str, most: int = 16) -> list[str]:
    """The words that a query asks for: each begins a word of what is found. Only the first `most` count."""
    return list(dict.fromkeys(chain.from_iterable(_split(run, last=False) for run in _runs(text))))[:most]
