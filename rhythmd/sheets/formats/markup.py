"""XML as a stream of elements with their lines, read by expat without anything that reaches beyond the file.

Entities are refused where they are declared, so that none can grow; what a document type refers to is never fetched.
"""

from collections.abc import Callable
from typing import Final
from xml.parsers import expat

from msgspec import Struct, field

from rhythmd.sheets.formats.bounds import RefusedFile, at_line, printable

__all__ = ["Element", "read_elements"]

_MAX_DEPTH: Final = 40
_MAX_ELEMENTS: Final = 2_000_000
_MAX_CHILDREN: Final = 20_000
_MAX_TEXT: Final = 10_000  # characters of one element that are kept
_MAX_ATTRIBUTES: Final = 100


class Element(Struct):
    """An element with what is in it; `line` is where it begins, `text` its own text without white space around it."""

    tag: str
    line: int
    attributes: dict[str, str] = field(default_factory=dict)
    children: list["Element"] = field(default_factory=list)
    text: str = ""

    def find(self, tag: str) -> "Element | None":
        """The first child with this tag."""
        for child in self.children:
            if child.tag == tag:
                return child
        return None

    def all(self, tag: str) -> list["Element"]:
        """The children with this tag."""
        return [child for child in self.children if child.tag == tag]

    def has(self, tag: str) -> bool:
        """Whether there is a child with this tag."""
        return self.find(tag) is not None

    def text_of(self, path: str) -> str:
        """The text of the descendant at `path`, tags between slashes; empty if there is none."""
        element: Element | None = self
        for tag in path.split("/"):
            if element is not None:
                element = element.find(tag)
        return "" if element is None else element.text

    def get(self, name: str, default: str = "") -> str:
        """An attribute."""
        return self.attributes.get(name, default)


class _Stream:
    """A document as it is parsed. Elements with a tag in `streamed` are handed over complete, and then forgotten."""

    def __init__(self, streamed: frozenset[str], take: Callable[[list[Element], Element], bool]) -> None:
        self._take = take
        self._streamed = streamed
        self._open: list[Element] = []
        self._elements = 0
        self.root: Element | None = None
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.EntityDeclHandler = self._entity

    def parse(self, content: bytes) -> None:
        try:
            self._parser.Parse(content, True)
        except expat.ExpatError as error:
            raise at_line(error.lineno, f"this is no XML ({expat.ErrorString(error.code)})") from None
        except (ValueError, LookupError) as error:  # an encoding that expat or Python does not know
            raise at_line(1, f"this is no XML ({error})") from None

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        line = self._parser.CurrentLineNumber
        self._elements += 1
        if self._elements > _MAX_ELEMENTS or len(attributes) > _MAX_ATTRIBUTES:
            raise at_line(line, "the document has too many elements")
        if len(self._open) >= _MAX_DEPTH:
            raise at_line(line, f"elements are nested more than {_MAX_DEPTH} deep")
        element = Element(tag, line, attributes)
        if self._open:
            siblings = self._open[-1].children
            if len(siblings) >= _MAX_CHILDREN:
                raise at_line(line, f"{printable(self._open[-1].tag)} has too many elements")
            siblings.append(element)
        else:
            self.root = element
        self._open.append(element)

    def _end(self, tag: str) -> None:
        element = self._open.pop()
        element.text = element.text.strip()
        if tag in self._streamed and self._open and self._take(self._open, element):
            self._open[-1].children.pop()

    def _text(self, text: str) -> None:
        element = self._open[-1]
        if len(element.text) < _MAX_TEXT:
            element.text += text[:_MAX_TEXT]

    def _entity(self, name: str, *_: object) -> None:
        line = self._parser.CurrentLineNumber
        raise at_line(line, f"the entity {printable(name)} is declared, which no score needs")


def read_elements(content: bytes, streamed: frozenset[str], take: Callable[[list[Element], Element], bool]) -> Element:
    """The root of a document, without the elements that `take` has taken.

    Args:
        content: UTF-8, UTF-16 or what the document names.
        streamed: tags of elements for which `take` is called when they are complete.
        take: gets the elements around it from the root on, and the element; whether it is to be forgotten.

    Raises:
        RefusedFile: it is no XML, declares entities, or is beyond a bound.
    """
    stream = _Stream(streamed, take)
    stream.parse(content)
    if stream.root is None:
        raise RefusedFile("this is no XML")
    return stream.root
