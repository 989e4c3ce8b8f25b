"""What a session is told, and what may be claimed of it, at moments that are hard to meet over real sockets."""

import time
from collections import deque
from collections.abc import Callable, Iterator
from math import inf

import msgspec
import pytest

from rhythm_protocol.close import SLOW
from rhythm_protocol.control import encode_binary
from rhythm_protocol.messages import ChatLine, Notes, ResumeAck, RoomLeft
from rhythm_protocol.midi import MidiEvent
from rhythmd.hub.ports import Encoding, Identity
from rhythmd.hub.sending.delivery import State
from tests.client import Answer, note_on
from tests.hub.manual import FakePeer, ManualHub

Hubs = Callable[..., ManualHub]


@pytest.fixture
def hubs() -> Iterator[Hubs]:
    """Makes hubs with settings."""
    made: list[ManualHub] = []

    def make(*settings: str) -> ManualHub:
        made.append(ManualHub(*settings))
        return made[-1]

    yield make
    for manual in made:
        manual.close()


def join(manual: ManualHub, room: str = "Salon") -> FakePeer:
    peer = manual.connect()
    peer.say("join-room", {"room": room, "create": True}, 1)
    return peer


def claim(manual: ManualHub, key: str, received: int) -> FakePeer:
    """Another socket that asks for the session with this key; nothing of the answer has been taken."""
    peer = manual.connect(Encoding.TEXT)
    peer.take()
    peer.say("resume", {"session": key, "received": received}, 2)
    return peer


def answer(peer: FakePeer) -> ResumeAck:
    data = next(message.data for message in peer.heard if isinstance(message, Answer))
    return msgspec.convert(data, ResumeAck)


def say(peer: FakePeer, number: int) -> None:
    for line in range(number):
        peer.say("chat-message", {"content": f"line {line}"})


def test_half_open_session_in_no_room_goes_on(hubs: Hubs) -> None:
    manual = hubs()
    lost = manual.connect()
    back = claim(manual, lost.session.key, 0)
    manual.tick()
    assert answer(back).recovered
    back.take()
    back.say("join-room", {"room": "Salon", "create": True}, 3)
    back.say("chat-message", {"content": "good evening"}, 4)
    assert [message.id for message in back.heard if isinstance(message, Answer) and not message.error] == [3, 4]


def test_half_open_session_goes_on_though_none_is_waited_for(hubs: Hubs) -> None:
    manual = hubs("hub.resume_s=0")
    lost = join(manual)
    back = claim(manual, lost.session.key, 1)
    assert answer(back).user.slot == 1


def test_kicked_before_the_loss_was_noticed_is_told(hubs: Hubs) -> None:
    manual = hubs()
    owner, guest = join(manual), join(manual)
    guest.is_stalled = True
    owner.say("kick", {"user": guest.session.player.id})
    guest.drop()
    back = claim(manual, guest.session.key, 1)
    manual.tick()
    assert any(isinstance(message, RoomLeft) for message in back.take())


def test_count_from_before_a_restart_of_the_count_is_not_taken_for_a_new_one(hubs: Hubs) -> None:
    manual = hubs("hub.resume_messages=10", "limits.messages_burst=1000")
    clara, robert = join(manual), join(manual)
    clara.drop()
    say(robert, 20)
    second = claim(manual, clara.session.key, 2)
    assert not answer(second).recovered
    second.drop()  # the answer never came
    say(robert, 5)
    third = claim(manual, clara.session.key, 2)
    assert not answer(third).recovered
    third.drop()


def test_count_is_good_again_once_the_new_one_is_confirmed(hubs: Hubs) -> None:
    manual = hubs("hub.resume_messages=10", "limits.messages_burst=1000")
    clara, robert = join(manual), join(manual)
    clara.drop()
    say(robert, 20)
    second = claim(manual, clara.session.key, 2)
    assert manual.hub.unconfirmed(second.session) is None  # not before what was missed is on its way
    manual.tick()
    count = manual.hub.unconfirmed(second.session)
    assert count is not None
    manual.hub.on_confirm(second.session, count)
    second.drop()
    say(robert, 5)
    third = claim(manual, clara.session.key, count)
    assert answer(third).recovered


def test_socket_that_drains_before_it_goes_on_gets_the_snapshot_all_the_same(hubs: Hubs) -> None:
    manual = hubs()
    clara, robert = join(manual), join(manual)
    clara.drop()
    back = claim(manual, clara.session.key, 2)
    manual.hub.on_pause(back.session)  # the answer alone was more than may wait
    manual.hub.on_drain(back.session)
    robert.play([note_on(60)])
    manual.settle()
    (notes,) = (message for message in back.take() if isinstance(message, Notes))
    assert [state.slot for state in notes.notes] == [2]


def test_join_right_behind_a_resume_hears_all(hubs: Hubs) -> None:
    manual = hubs()
    robert = join(manual)
    lost = manual.connect()
    back = claim(manual, lost.session.key, 0)
    back.say("join-room", {"room": "Salon"}, 3)
    robert.play([MidiEvent(0, 0x90, 60, 100)])
    manual.settle()
    (notes,) = (message for message in back.take() if isinstance(message, Notes))
    assert [state.slot for state in notes.notes] == [1]


def test_nothing_is_written_behind_what_was_too_much(hubs: Hubs) -> None:
    manual = hubs("limits.write_buffer_bytes=20000", "limits.music_buffer_bytes=4000", "limits.messages_burst=1000")
    clara, robert = join(manual), join(manual)
    clara.is_stalled = True
    while clara.session.delivery.state is not State.OVERRUN:
        say(robert, 1)
    manual.hub.on_drain(clara.session)
    say(robert, 3)
    clara.read_on()
    lines = [message.id for message in clara.take() if isinstance(message, ChatLine)]
    assert lines == list(range(1, len(lines) + 1))
    manual.tick()
    assert clara.closed == SLOW


def test_connection_that_is_lost_when_it_is_too_slow_may_come_back(hubs: Hubs) -> None:
    manual = hubs("limits.write_buffer_bytes=20000", "limits.music_buffer_bytes=4000", "limits.messages_burst=1000")
    clara, robert = join(manual), join(manual)
    clara.is_stalled = True
    while clara.session.delivery.state is not State.OVERRUN:
        say(robert, 1)
    clara.drop()
    manual.tick()
    assert answer(claim(manual, clara.session.key, 2)).user.slot == 1


def test_log_of_who_confirms_nothing_is_bounded_in_bytes(hubs: Hubs) -> None:
    manual = hubs("limits.write_buffer_bytes=20000", "limits.music_buffer_bytes=4000", "limits.messages_burst=1000")
    clara, robert = join(manual), join(manual)
    for _ in range(100):
        robert.say("chat-message", {"content": "x" * 400})
    log = clara.session.delivery.log
    kept = log.after(log.count - 10)
    assert kept is not None
    assert log.after(log.count - 25) is None
    clara.drop()
    back = claim(manual, clara.session.key, log.count - 10)
    manual.tick()
    assert answer(back).missed == 10


def test_claim_of_one_that_ends_while_it_waits_is_refused(hubs: Hubs) -> None:
    manual = hubs("hub.resume_s=0")
    lost, back = manual.connect(), manual.connect()
    lost.session.waiting = deque()  # its handler never ends: it waits for `back`, say
    data = {"session": lost.session.key, "received": 0}
    manual.hub.on_binary(back.session, encode_binary("resume", data, 2))
    manual.settle()
    assert back.session.waiting is not None
    lost.drop()
    manual.settle()
    (refusal,) = (message for message in back.take() if isinstance(message, Answer))
    assert refusal.error is not None
    assert refusal.error.code == "session-not-found"


def test_claim_whose_own_socket_is_lost_while_it_waits_is_refused_for_that(hubs: Hubs) -> None:
    manual = hubs()
    busy, back = join(manual), manual.connect()
    busy.session.waiting = deque()  # its handler never ends by itself
    data = {"session": busy.session.key, "received": 0}
    manual.hub.on_binary(back.session, encode_binary("resume", data, 2))
    manual.settle()
    back.drop()
    busy.session.waiting = None
    busy.session.settle()
    manual.settle()
    third = claim(manual, back.session.key, 0)
    manual.settle()
    answers = [message for message in third.take() if isinstance(message, Answer)]
    assert [message.error.code for message in answers if message.error is not None] == ["connection-lost"]
    assert busy.session.peer is busy


def log_in(manual: ManualHub, expires: float, *roles: str) -> FakePeer:
    """A socket of Clara's account."""
    peer = manual.connect()
    identity = Identity("clara", "login", expires, guest=False, name="Clara", roles=frozenset(roles))
    peer.session = manual.hub.attach(peer, identity)
    return peer


def test_rights_are_those_of_the_login_that_comes_back(hubs: Hubs) -> None:
    manual = hubs()
    lost = log_in(manual, inf, "moderator")
    back = log_in(manual, inf)
    back.say("resume", {"session": lost.session.key, "received": 0}, 2)
    assert not back.session.player.is_moderator


def test_room_in_the_answer_to_a_resume_leaves_out_what_its_own_player_set(hubs: Hubs) -> None:
    manual = hubs("hub.resume_messages=1")
    lost, other = join(manual), join(manual)
    for peer in (lost, other):
        peer.play([MidiEvent(0, 0xC0, 5, 0)])  # a program stays when its player is away
    lost.drop()
    say(other, 3)
    join_again = answer(claim(manual, lost.session.key, 1)).join
    assert join_again is not None
    assert [state.slot for state in join_again.notes] == [2]


def test_login_that_expires_while_its_user_is_away_costs_no_seat(hubs: Hubs) -> None:
    manual = hubs()
    lost = log_in(manual, time.time() - 1)
    lost.say("join-room", {"room": "lobby"})
    lost.drop()
    manual.hub.start()
    back = log_in(manual, inf)
    back.say("resume", {"session": lost.session.key, "received": 0}, 2)
    assert answer(back).user.slot == 1
