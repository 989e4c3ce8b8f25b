"""The terminal of whoever runs a command: what is printed there, and how a command ends.

Names, rooms, titles and messages are what others choose. A terminal obeys escape sequences, a direction mark
turns a line of text around, and not every terminal can show every character. So all commands print through `printable`,
and every stream shows what it can and escapes what it cannot.
"""

import io
import os
import sys
from contextlib import suppress
from typing import Final

__all__ = [
    "INTERRUPTED",
    "NO_READER",
    "complain",
    "finish",
    "has_surrogates",
    "let_go_of_output",
    "prepare",
    "printable",
    "trouble_of",
]

INTERRUPTED: Final = 130  # as shells count: 128 and the number of SIGINT
NO_READER: Final = 141  # the same for SIGPIPE
FAILED: Final = 1
STREAMS: Final = (("stdin", "r"), ("stdout", "w"), ("stderr", "w"))


def printable(text: str) -> str:
    """`text` as one harmless line: control and format characters are written as escapes, direction marks among them."""
    return text if text.isprintable() else "".join(each if each.isprintable() else _escaped(each) for each in text)


def _escaped(character: str) -> str:
    return ascii(character)[1:-1]


def has_surrogates(text: str) -> bool:
    """Whether `text` came from bytes that are no UTF-8: Python keeps them as half of a surrogate pair (PEP 383)."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def complain(text: str) -> None:
    """Tell the user something, in one line on standard error. It does not matter if nobody reads that."""
    with suppress(OSError):
        print(f"rhythmd: {printable(text)}", file=sys.stderr, flush=True)


def trouble_of(error: Exception) -> str:
    """What went wrong, without the number that the system has for it, but with the file."""
    if not isinstance(error, OSError) or not error.strerror:
        return str(error)
    return f"{error.filename}: {error.strerror}" if error.filename else error.strerror


def prepare() -> None:
    """Make the three streams fit to be used, whatever the process was started with.

    A stream that was closed becomes /dev/null: otherwise the next file that is opened, a database perhaps, would get
    its number, and what is printed.
    """
    for number, (name, mode) in enumerate(STREAMS):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # it gets the lowest number that is free, which is this one
        if getattr(sys, name) is None:
            setattr(sys, name, open(number, mode, encoding="utf-8", closefd=False))  # noqa: SIM115 - for good
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def finish(status: int) -> int:
    """Write out what standard output still has; the exit status, which is another one if that cannot be done."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        let_go_of_output()
        return NO_READER
    except OSError as error:
        let_go_of_output()
        complain(f"cannot write: {error.strerror}")
        return FAILED
    return status


def let_go_of_output() -> None:
    """Nobody reads standard output any more: Python shall not try again, and complain, at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    os.dup2(null, sys.stdout.fileno())
    os.close(null)
