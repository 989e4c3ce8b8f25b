"""What is given up of clients and rooms when more waits than may, in which order, and what their users notice."""

import gc
from collections.abc import Callable, Iterator
from weakref import ref

import msgspec
import pytest

from rhythm_protocol.close import SLOW
from rhythm_protocol.messages import ResumeAck
from rhythmd.fairness.memory import MIB
from rhythmd.hub.ports import Encoding, Identity
from rhythmd.hub.sending.delivery import ENTRY_BYTES
from rhythmd.hub.sessions import relief
from tests.client import Answer, note_off, note_on
from tests.hub.manual import FakePeer, ManualHub

LINE = "la" * 240
SETTINGS = (
    "limits.memory_mb=1",
    "rooms.chat_history=1",
    "limits.messages_burst=10000",
    "hub.room_deliveries_per_s=100000",
)
Hubs = Callable[..., ManualHub]


@pytest.fixture
def hubs() -> Iterator[Hubs]:
    """Makes hubs with a budget of one MiB, and settings."""
    made: list[ManualHub] = []

    def make(*settings: str) -> ManualHub:
        made.append(ManualHub(*SETTINGS, *settings))
        return made[-1]

    yield make
    for manual in made:
        manual.close()


def enter(manual: ManualHub, room: str, address: str = "127.0.0.1", **settings: object) -> FakePeer:
    peer = manual.connect()
    peer.session.player.address = address
    peer.say("join-room", {"room": room, "create": True, "settings": settings}, 1)
    peer.take()
    return peer


def lose(manual: ManualHub, room: str, address: str, lines: int, user: str | None = None) -> FakePeer:
    """Somebody who is away while so many lines are said in a room of theirs; a guest if not a user."""
    lost, talker = enter(manual, room, address), enter(manual, room)
    if user is not None:
        lost.session.player.guest = False
        lost.session.identity = Identity(user, "login", 1e12, guest=False)
    lost.drop()
    for number in range(lines):
        talker.say("chat-message", {"content": f"{number} {LINE}"})
        talker.take()
        manual.hub.on_confirm(talker.session, talker.delivery.log.count)
    return lost


def fill(manual: ManualHub) -> None:
    """Let something that cannot be given up take what is left, and a byte."""
    memory = manual.hub.memory
    memory.of("body").take(memory.limit - memory.total + 1)


def given_up(manual: ManualHub) -> dict[str, int]:
    """What was, after everybody had their turn."""
    manual.settle()
    return {name: count for name, count in manual.hub.memory.given_up.items() if count}


def kept(peers: list[FakePeer]) -> list[bool]:
    """Whose log is there still."""
    return [peer.delivery.log.size > 0 for peer in peers]


def in_logs(manual: ManualHub) -> int:
    """Bytes of all logs, counted one by one."""
    logs = [session.delivery.log for session in manual.hub.sessions]
    messages = {id(message): message.weight for log in logs for message in log.messages}
    return sum(messages.values()) + ENTRY_BYTES * sum(len(log.messages) for log in logs)


def test_log_of_many_is_counted_once(hubs: Hubs) -> None:
    manual = hubs()
    talker, *others = [enter(manual, "Salon") for _ in range(10)]
    for peer in others[:5]:
        peer.drop()
    for _ in range(20):
        talker.say("chat-message", {"content": LINE})
    held = manual.hub.memory.of("log").bytes
    assert held == in_logs(manual)
    assert held < sum(peer.delivery.log.size for peer in [talker, *others])
    for peer in [talker, *others[5:]]:
        manual.hub.on_confirm(peer.session, peer.delivery.log.count)
    assert manual.hub.memory.of("log").bytes == in_logs(manual)
    for session in list(manual.hub.sessions):
        manual.hub.sessions.end(session, "lost")
    assert manual.hub.memory.of("log").bytes == 0
    assert manual.hub.memory.of("away").bytes == 0


def containers() -> int:
    gc.collect()
    return len(gc.get_objects())


def test_what_is_kept_is_nothing_that_the_search_for_garbage_looks_at(hubs: Hubs) -> None:
    manual = hubs()
    talker = enter(manual, "Salon")
    for _ in range(3):
        enter(manual, "Salon").drop()
    before = containers()
    for number in range(300):
        talker.say("user-update", {"name": f"Clara {number}"})
        talker.say("chat-message", {"content": f"{number}"}, number)
        talker.take()
    assert len(talker.delivery.log.messages) > 400
    assert containers() - before < 200


def test_guests_of_the_network_that_keeps_the_most_lose_their_logs_first(hubs: Hubs) -> None:
    manual = hubs()
    small = lose(manual, "small", "192.0.2.1", 20)
    crowd = [lose(manual, f"crowd {n}", "198.51.100.1", 100) for n in range(8)]
    # Its share of the budget is less than one of these logs.
    manual.hub.start()
    assert kept([small, *crowd]) == [True] + [False] * 8
    assert given_up(manual) == {"guest-logs": 8}


def test_guests_lose_their_logs_before_accounts_do(hubs: Hubs) -> None:
    manual = hubs()
    people = [
        lose(manual, f"room {n}", f"192.0.2.{n}", 200, f"user {n}" if n % 2 else None) for n in range(8)
    ]  # fmt: skip
    assert set(given_up(manual)) == {"guest-logs"}
    assert all(kept(people[1::2]))
    assert not all(kept(people[::2]))
    assert manual.hub.memory.total <= MIB


def test_accounts_lose_their_logs_when_no_guest_has_any(hubs: Hubs) -> None:
    manual = hubs()
    people = [lose(manual, f"room {n}", f"192.0.2.{n}", 200, f"user {n}") for n in range(8)]
    assert set(given_up(manual)) == {"account-logs"}
    assert 0 < sum(kept(people)) < 8
    assert manual.hub.memory.total <= MIB


def resumed(manual: ManualHub, lost: FakePeer, received: int) -> ResumeAck:
    peer = manual.connect(Encoding.TEXT)
    peer.take()
    peer.say("resume", {"session": lost.session.key, "received": received}, 2)
    data = next(message.data for message in peer.heard if isinstance(message, Answer))
    return msgspec.convert(data, ResumeAck)


def test_who_comes_back_without_a_log_gets_the_room_and_is_counted_anew(hubs: Hubs) -> None:
    manual = hubs()
    lost = lose(manual, "Salon", "192.0.2.1", 5)
    before = lost.delivery.log.count
    assert lost.delivery.log.give_up()
    ack = resumed(manual, lost, before - 5)
    assert (ack.recovered, ack.join is not None) == (False, True)
    manual.settle()
    enter(manual, "Salon").say("chat-message", {"content": "hello"})
    assert lost.delivery.log.size > 0


def test_client_that_stays_is_asked_to_confirm_although_nothing_is_kept(hubs: Hubs) -> None:
    manual = hubs()
    clara, robert = enter(manual, "Salon"), enter(manual, "Salon")
    robert.say("chat-message", {"content": "hello"})
    clara.delivery.log.give_up()
    count = manual.hub.unconfirmed(clara.session)
    assert count == clara.delivery.log.count
    manual.hub.on_confirm(clara.session, count)
    robert.say("chat-message", {"content": "hello"})
    assert clara.delivery.log.size > 0


def test_slow_clients_are_closed_and_those_that_read_are_not(hubs: Hubs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relief, "SLOW_S", 0.0)
    manual = hubs("limits.write_buffer_bytes=1048576", "hub.resume_messages=1")
    talker, reader = enter(manual, "Salon"), enter(manual, "Salon")
    slow = [enter(manual, "Salon") for _ in range(4)]
    for peer in slow:
        peer.is_stalled = True
    for number in range(600):
        talker.say("chat-message", {"content": f"{number} {LINE}"})
        if number % 100 == 0:
            for peer in (talker, reader):
                manual.hub.on_confirm(peer.session, peer.delivery.log.count)
    manual.hub.memory.of("unsent").measured(sum(peer.waiting_bytes() for peer in slow))
    assert given_up(manual)["clients"] >= 1
    assert SLOW in [peer.closed for peer in slow]
    assert (talker.closed, reader.closed) == (None, None)


def play(manual: ManualHub, peer: FakePeer, times: int) -> None:
    for key in range(times):
        peer.play([note_on(key % 100), note_off(key % 100)] * 100)
    manual.settle()


def test_replays_go_before_recordings_and_recordings_end_with_their_file(hubs: Hubs) -> None:
    manual = hubs("quota.room_maximum=1000000", "quota.owner_maximum=1000000", "quota.total_maximum=1000000")
    owners = [enter(manual, f"room {n}", allow_replay=True) for n in range(2)]
    for peer in owners:
        play(manual, peer, 80)
    manual.hub.recorder.start()
    before = manual.hub.memory.of("tape").bytes
    assert before > 2 * 80 * 200 * 5
    fill(manual)
    assert given_up(manual) == {"replays": 2}
    assert manual.hub.memory.of("tape").bytes < before / 10


def test_empty_room_gives_way(hubs: Hubs) -> None:
    manual = hubs()
    for number in range(3):
        enter(manual, f"room {number}", f"192.0.2.{number}").leave()
    assert len(manual.hub.registry) == 4
    fill(manual)
    assert given_up(manual) == {"empty-rooms": 3}
    assert len(manual.hub.registry) == 1


def test_closed_room_goes_at_once_and_not_when_garbage_is_looked_for(hubs: Hubs) -> None:
    manual = hubs("rooms.linger_s=0")
    clara, robert = enter(manual, "Salon", allow_replay=True), enter(manual, "Salon")
    clara.say("chat-message", {"content": "hello"})
    clara.say("metronome", {"running": True, "bpm": 60})
    clara.say("mute", {"user": robert.session.player.id, "notes": True})
    clara.play([note_on(60)])
    manual.settle()
    room = ref(clara.session.require_place().room)
    gc.disable()
    try:
        for peer in (clara, robert):
            peer.say("leave-room", {})
        manual.settle()
        assert room() is None
    finally:
        gc.enable()


def test_chat_that_the_store_has_is_given_up_and_no_other(hubs: Hubs, monkeypatch: pytest.MonkeyPatch) -> None:
    manual = hubs("rooms.chat_history=100")
    rooms = []
    for name in ("stored", "live"):
        talker = enter(manual, name)
        for _ in range(50):
            talker.say("chat-message", {"content": LINE})
        manual.hub.on_confirm(talker.session, talker.delivery.log.count)
        rooms.append(talker.session.require_place().room)
    monkeypatch.setattr(rooms[0].keeper, "passes_ownership", False)
    manual.hub.start()
    fill(manual)
    assert given_up(manual)["chats"] == 1
    assert [len(room.chat.history()) for room in rooms] == [0, 50]
    assert rooms[0].chat.last_id == 50, "the next line has a number of its own"
