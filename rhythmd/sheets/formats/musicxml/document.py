"""A MusicXML document as a score: its head, its parts, and what holds for all of them."""

from fractions import Fraction
from typing import Final

from rhythmd.sheets.formats.bounds import at_line, printable, tidy
from rhythmd.sheets.formats.markup import Element, read_elements
from rhythmd.sheets.formats.musicxml.measures import read_measure
from rhythmd.sheets.formats.musicxml.state import Instrument, PartState, WordTempos
from rhythmd.sheets.formats.musicxml.values import integer_of
from rhythmd.sheets.formats.score import DRUMS, Part, Score

__all__ = ["read_document"]

_MAX_PARTS: Final = 500
_PARTWISE: Final = "score-partwise"
_TIMEWISE: Final = "score-timewise"


def read_document(content: bytes) -> Score:
    """The score of a document.

    Raises:
        RefusedFile: it is no MusicXML, or is beyond a bound.
    """
    reader = _Reader()
    root = read_elements(content, frozenset({"measure", "part"}), reader.take)
    if root.tag not in (_PARTWISE, _TIMEWISE):
        raise at_line(root.line, f"this is XML, but no MusicXML score: its root is {printable(root.tag)}")
    return reader.finish(root)


class _Reader:
    """Parts as their measures come, in either order."""

    def __init__(self) -> None:
        self._score = Score()
        self._parts: dict[str, PartState] = {}
        self._word_tempos: WordTempos = {}
        self._has_head = False

    def take(self, around: list[Element], element: Element) -> bool:
        """Read an element if it is what one part has in one measure; whether it was."""
        tags = [outer.tag for outer in around]
        if tags == [_PARTWISE, "part"] and element.tag == "measure":
            part = around[1]
        elif tags == [_TIMEWISE, "measure"] and element.tag == "part":
            part = element
        else:
            # What is left of a part or a measure when all in it is read.
            return len(around) == 1 and around[0].tag in (_PARTWISE, _TIMEWISE)
        read_measure(self._part(around[0], part), element)
        return True

    def _part(self, root: Element, part: Element) -> PartState:
        if not self._has_head:
            self._read_part_list(root)
        state = self._parts.get(part.get("id"))
        if state is None:
            raise at_line(part.line, f"the part {printable(part.get('id'))} is not in the part list")
        return state

    def _read_part_list(self, root: Element) -> None:
        self._has_head = True
        part_list = root.find("part-list")
        for element in part_list.all("score-part") if part_list is not None else []:
            if len(self._parts) >= _MAX_PARTS:
                raise at_line(element.line, f"there are more than {_MAX_PARTS} parts")
            instruments = _instruments(element)
            name = tidy(element.text_of("part-name"))
            first = next(iter(instruments.values()), Instrument())
            part = Part(name, first.program, any(instrument.is_drums for instrument in instruments.values()))
            self._parts[element.get("id")] = PartState(self._score, part, instruments, self._word_tempos)

    def finish(self, root: Element) -> Score:
        """The score, when all is read."""
        score = self._score
        score.parts = [state.part for state in self._parts.values()]
        score.title, score.composer = _title(root), _composer(root)
        self._settle_tempos()
        _settle_codas(score)
        _settle_empty_bars(score)
        return score

    def _settle_tempos(self) -> None:
        for (number, at), tempo in self._word_tempos.items():
            bar = self._score.bars[number]
            if all(place != at for place, _ in bar.tempos):
                bar.tempos.append((at, tempo))
        for bar in self._score.bars:
            bar.tempos.sort(key=lambda change: change[0])


def _instruments(score_part: Element) -> dict[str, Instrument]:
    instruments = {element.get("id"): Instrument() for element in score_part.all("score-instrument")}
    for element in score_part.all("midi-instrument"):
        instrument = instruments.setdefault(element.get("id"), Instrument())
        instrument.program = _midi_number(element, "midi-program", 128)
        instrument.drum_key = _midi_number(element, "midi-unpitched", 128)
        instrument.is_drums = _midi_number(element, "midi-channel", 16) == DRUMS
    return instruments


def _midi_number(element: Element, tag: str, last: int) -> int | None:
    """A number that MusicXML counts from 1 and MIDI from 0. Some programs write 0 for what they do not know."""
    child = element.find(tag)
    number = 0 if child is None else integer_of(child, f"a {tag}")
    if child is None or number == 0:
        return None
    if not 1 <= number <= last:
        raise at_line(child.line, f"a {tag} is {number}, not 1 to {last}")
    return number - 1


def _title(root: Element) -> str:
    texts = [root.text_of("work/work-title"), root.text_of("movement-title")]
    texts += [
        credit.text_of("credit-words") for credit in root.all("credit") if credit.text_of("credit-type") == "title"
    ]
    return next((tidy(text) for text in texts if tidy(text)), "")


def _composer(root: Element) -> str:
    identification = root.find("identification")
    creators = identification.all("creator") if identification is not None else []
    return tidy(", ".join(creator.text for creator in creators if creator.get("type") == "composer" and creator.text))


def _settle_codas(score: Score) -> None:
    """Of two coda signs without words, the first one is where the jump goes from."""
    codas = [bar for bar in score.bars if bar.coda]
    if len(codas) > 1 and not any(bar.to_coda for bar in score.bars) and any(bar.jump for bar in score.bars):
        codas[0].coda, codas[0].to_coda = False, True


def _settle_empty_bars(score: Score) -> None:
    """A bar of rests lasts as long as they do, and one in which nobody has anything as its metre says."""
    metre = (4, 4)
    for bar in score.bars:
        metre = bar.metre or metre
        bar.length = bar.length or bar.silence or Fraction(4 * metre[0], metre[1])
