"""The rows of the tables decide: who may send what, what is charged, and what is counted."""

from collections.abc import Iterator
from math import inf
from typing import Any, Final

import pytest

from rhythm_protocol.binary import encode_clock_request, encode_cursor, encode_midi
from rhythm_protocol.messages import CLIENT_MESSAGES, Right, UserUpdated
from rhythm_protocol.resume import SessionCounter
from rhythmd.hub.handlers.commands import COMMANDS
from rhythmd.hub.ports import Encoding, Identity
from tests.client import Answer, note_on
from tests.hub.manual import ManualHub

NOBODY: Final = {"user": "nobody"}
DATA: Final[dict[str, dict[str, Any]]] = {
    "authenticate": {},
    "join-room": {"room": "nowhere"},
    "leave-room": {},
    "chat-message": {"content": "good evening"},
    "typing": {"typing": True},
    "user-update": {"name": "Clara"},
    "room-update": {"settings": {"stage": "cave"}},
    "transfer-owner": NOBODY,
    "kick": NOBODY,
    "ban": NOBODY,
    "unban": NOBODY,
    "mute": NOBODY,
    "sanctions": {},
    "clear-chat": {},
    "midi-event": {"time": 0, "events": [[0, 144, 60, 100]]},
    "clock": {"value": 1},
    "cursor": {"x": 1, "y": 2},
    "resume": {"session": "nothing", "received": 0},
    "timing": {"late_ms": 20},
    "metronome": {"running": False},
    "record": {"on": False},
    "record-last": {},
    "sheet-play": {"sheet": "nothing"},
    "sheet-stop": {},
    "sheet-seek": {"position_ms": 0},
}
"""What is said of each type: well-formed, and allowed or refused for another reason than who says it."""

CASTS: Final = {
    "outsider": {Right.ANYBODY},
    "member": {Right.ANYBODY, Right.MEMBER},
    "moderator": {Right.ANYBODY, Right.MEMBER, Right.MODERATOR},
    "owner": set(Right),
}


class Cast:
    """Three people in a room, and one who is in none."""

    def __init__(self, manual: ManualHub, encoding: Encoding) -> None:
        self.people = {name: manual.connect(encoding) for name in ("owner", "member", "outsider")}
        moderator = self.people["moderator"] = manual.connect(encoding)
        identity = Identity("moderator", "login", inf, guest=False, name="Moritz", roles=frozenset({"moderator"}))
        moderator.session = manual.hub.attach(moderator, identity)
        for name in ("owner", "member", "moderator"):
            self.people[name].say("join-room", {"room": "Salon", "create": name == "owner"}, 1)
        for peer in self.people.values():
            peer.take()

    def refusal(self, name: str, type_: str, data: dict[str, Any]) -> str | None:
        """The code of the error that this one gets for saying this."""
        peer = self.people[name]
        peer.say(type_, data, 2)
        answers = [message for message in peer.take() if isinstance(message, Answer)]
        assert len(answers) == 1
        return None if answers[0].error is None else answers[0].error.code


@pytest.fixture
def manual() -> Iterator[ManualHub]:
    manual = ManualHub("limits.messages_per_s=0.001")  # no rate that a message is charged to fills up meanwhile
    yield manual
    manual.close()


@pytest.fixture(params=Encoding, ids=lambda encoding: encoding.name.lower())
def cast(request: pytest.FixtureRequest, manual: ManualHub) -> Cast:
    return Cast(manual, request.param)


def expected(name: str, right: Right) -> set[str]:
    """The codes of one who has not this right; none for one who has."""
    if right in CASTS[name]:
        return set()
    return {"not-in-room"} if name == "outsider" else {"not-owner"}


@pytest.mark.parametrize("name", CASTS)
@pytest.mark.parametrize("type_", CLIENT_MESSAGES)
def test_message_is_refused_to_those_without_its_right(cast: Cast, name: str, type_: str) -> None:
    refused = {cast.refusal(name, type_, DATA[type_])} & {"not-in-room", "not-owner"}
    assert refused == expected(name, CLIENT_MESSAGES[type_].right)


@pytest.mark.parametrize("name", CASTS)
@pytest.mark.parametrize("command", COMMANDS)
def test_command_is_refused_to_those_without_its_right(cast: Cast, name: str, command: str) -> None:
    refused = {cast.refusal(name, "chat-message", {"content": f"/{command} nobody"})} & {"not-in-room", "not-owner"}
    assert refused == expected(name, COMMANDS[command].right)


@pytest.mark.parametrize("type_", CLIENT_MESSAGES)
def test_message_is_charged_as_its_row_says(cast: Cast, type_: str) -> None:
    peer = cast.people["owner"]
    before = peer.session.bucket.balance
    peer.say(type_, DATA[type_], 2)
    assert round(before - peer.session.bucket.balance) == CLIENT_MESSAGES[type_].is_rated


@pytest.mark.parametrize(
    "payload",
    [encode_midi(0, [note_on()]), encode_clock_request(1), encode_cursor(1, 2)],
    ids=["midi", "clock", "cursor"],
)
def test_binary_twin_is_not_charged(manual: ManualHub, payload: bytes) -> None:
    peer = Cast(manual, Encoding.BINARY).people["owner"]
    before = peer.session.bucket.balance
    for _ in range(10):
        manual.hub.on_binary(peer.session, payload)
    assert peer.session.bucket.balance == before


@pytest.mark.parametrize("payload", [b"\x01", encode_midi(0, [note_on()])[:-1], encode_clock_request(1)[:-1], b"\x03"])
def test_broken_binary_twin_is_charged(manual: ManualHub, payload: bytes) -> None:
    peer = Cast(manual, Encoding.BINARY).people["owner"]
    before = peer.session.bucket.balance
    manual.hub.on_binary(peer.session, payload)
    assert round(before - peer.session.bucket.balance) == 1


@pytest.mark.parametrize("type_", [type_ for type_, row in CLIENT_MESSAGES.items() if not row.is_rated])
def test_message_that_is_not_rated_is_charged_when_it_is_broken(cast: Cast, type_: str) -> None:
    peer = cast.people["owner"]
    before = peer.session.bucket.balance
    peer.say(type_, {})
    assert round(before - peer.session.bucket.balance) == 1


@pytest.mark.parametrize("encoding", Encoding, ids=lambda encoding: encoding.name.lower())
def test_clock_exchanges_are_not_repeated_by_a_resume(manual: ManualHub, encoding: Encoding) -> None:
    lost, counter = manual.connect(encoding), SessionCounter()
    counter.welcomed(lost.session.key)
    lost.say("join-room", {"room": "Salon", "create": True}, 1)
    for _ in lost.take()[1:]:
        counter.heard("ack")
    for value in range(5):
        lost.say("clock", {"value": value})
    assert len(lost.take()) == 5
    lost.drop()
    back = manual.connect(encoding)
    back.take()
    back.say("resume", {"session": counter.session, "received": counter.received}, 2)
    manual.tick()
    ack, *missed = back.take()
    assert isinstance(ack, Answer)
    assert ack.data["missed"] == 1
    assert isinstance(missed[0], UserUpdated)  # that it was away
