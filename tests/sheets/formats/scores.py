"""Small MusicXML documents for the tests."""

import io
from typing import Final
from zipfile import ZIP_DEFLATED, ZipFile

__all__ = ["CONTAINER", "attributes", "document", "measures", "mxl", "note", "part", "rest", "sound", "words"]

CONTAINER: Final = (
    '<?xml version="1.0"?><container><rootfiles><rootfile full-path="score.xml"/></rootfiles></container>'
)


def note(pitch: str, duration: int = 4, inside: str = "", after: str = "") -> str:
    """A note: "C4", "F#4" or "Bb4"; divisions are 4 a quarter. `inside` comes before the duration, `after` after it."""
    alter = {"#": "<alter>1</alter>", "b": "<alter>-1</alter>"}.get(pitch[1], "")
    written = f"<pitch><step>{pitch[0]}</step>{alter}<octave>{pitch[-1]}</octave></pitch>"
    length = f"<duration>{duration}</duration>" if duration else ""
    return f"<note>{inside}{written}{length}{after}</note>"


def rest(duration: int = 4) -> str:
    return f"<note><rest/><duration>{duration}</duration></note>"


def attributes(inside: str = "") -> str:
    return f"<attributes><divisions>4</divisions>{inside}</attributes>"


def sound(inside: str) -> str:
    return f"<direction><direction-type><words/></direction-type><sound {inside}/></direction>"


def words(text: str) -> str:
    return f"<direction><direction-type><words>{text}</words></direction-type></direction>"


def measures(*contents: str) -> str:
    """Measures; the first one gets divisions."""
    first, *others = contents
    bodies = [first if "<attributes>" in first else attributes() + first, *others]
    return "".join(f'<measure number="{number}">{body}</measure>' for number, body in enumerate(bodies, 1))


def part(content: str, name: str = "P1") -> str:
    return f'<part id="{name}">{content}</part>'


def document(*parts: str, head: str = "", listed: str = "") -> str:
    """A partwise score of parts P1, P2 and so on, each given as its measures."""
    names = [f"P{number}" for number in range(1, len(parts) + 1)]
    score_parts = listed or "".join(
        f'<score-part id="{name}"><part-name>{name}</part-name></score-part>' for name in names
    )
    body = "".join(part(content, name) for name, content in zip(names, parts, strict=True))
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        '<!DOCTYPE score-partwise PUBLIC "-//Recordare//DTD MusicXML 4.0 Partwise//EN" '
        '"http://www.musicxml.org/dtds/partwise.dtd">\n'
        f'<score-partwise version="4.0">{head}<part-list>{score_parts}</part-list>{body}</score-partwise>'
    )


def mxl(files: dict[str, bytes | str], container: str = CONTAINER) -> bytes:
    """A container with these files."""
    archive = io.BytesIO()
    with ZipFile(archive, "w", ZIP_DEFLATED) as zipped:
        if container:
            zipped.writestr("META-INF/container.xml", container)
        for name, content in files.items():
            zipped.writestr(name, content)
    return archive.getvalue()
