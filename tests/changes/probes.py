"""What the checks of changes share. They run it in the changed copy of the sources."""

import os
from collections.abc import Iterator, Mapping
from importlib import import_module
from itertools import product
from pathlib import Path
from types import FunctionType
from typing import Any

from rhythm_protocol.messages import Error
from rhythmd.hub.ports import Encoding
from tests.client import Answer
from tests.hub.manual import FakePeer, ManualHub

__all__ = ["DATA", "ask", "hold", "members"]

DATA = Path(os.environ.get("DATA", "."))
"""A folder for what a check writes."""


def hold(*modules: str) -> None:
    """Run the tests of modules that need no fixtures."""
    for name in modules:
        tests = {key: value for key, value in vars(import_module(name)).items() if key.startswith("test_")}
        assert tests, name
        for test in tests.values():
            for arguments in _cases(test):
                test(**arguments)


def _cases(test: FunctionType) -> Iterator[dict[str, Any]]:
    """The arguments of each case that a test is parametrized with."""
    marks = [mark.args for mark in getattr(test, "pytestmark", ()) if mark.name == "parametrize"]
    for values in product(*(values for _, values in marks)):
        arguments: dict[str, Any] = {}
        for (names, _), value in zip(marks, values, strict=True):
            parts = [part.strip() for part in names.split(",")] if isinstance(names, str) else names
            arguments |= {parts[0]: value} if len(parts) == 1 else dict(zip(parts, value, strict=True))
        yield arguments


def members(manual: ManualHub, *encodings: Encoding) -> list[FakePeer]:
    """Clients in the lobby, who have taken all that the server said until now."""
    peers = [manual.connect(encoding) for encoding in encodings or (Encoding.BINARY, Encoding.TEXT)]
    for peer in peers:
        peer.say("join-room", {"room": "lobby"}, 1)
    for peer in peers:
        peer.take()
    return peers


def ask(peer: FakePeer, type_: str, data: Mapping[str, object]) -> dict[str, Any]:
    """Send one message, and wait for its `ack`; what that carries."""
    peer.say(type_, data, 7)
    answers = [answer for answer in peer.take() if isinstance(answer, Answer)]
    assert len(answers) == 1, answers
    assert not isinstance(answers[0].error, Error), answers[0].error
    return answers[0].data
