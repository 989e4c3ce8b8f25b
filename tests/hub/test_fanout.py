"""What each listener is written, in which order, in one go and in slices."""

from collections.abc import Iterator
from functools import partial
from time import sleep

import pytest

from rhythm_protocol.binary import MidiBlock
from rhythm_protocol.messages import ChatCleared, Stopping
from rhythm_protocol.midi import pack_events
from rhythmd.hub.ports import Encoding
from rhythmd.hub.sending.delivery import Delivery, State
from rhythmd.hub.sending.fanout import Fanout
from rhythmd.hub.sending.outbound import ControlMessage
from rhythmd.hub.sending.pacer import JOBS_S
from tests.client import Music, note_on
from tests.conftest import ErrorLog
from tests.hub.manual import FakePeer, ManualHub

SLICE = 2


class Silence:
    """Music with nothing in it."""

    playout_ms = 1_000

    def held(self, skip: Delivery) -> list[tuple[int, bytes]]:
        return []


@pytest.fixture
def manual() -> Iterator[ManualHub]:
    manual = ManualHub()
    yield manual
    manual.close()


@pytest.fixture
def fanout(manual: ManualHub) -> Fanout:
    return Fanout(manual.hub.pacer, Silence(), SLICE)


@pytest.fixture
def whole(manual: ManualHub) -> Fanout:
    """A fan-out that never needs slices."""
    return Fanout(manual.hub.pacer, Silence(), 100)


def listen(manual: ManualHub, fanout: Fanout, count: int) -> list[FakePeer]:
    """`count` listeners, of the two encodings in turn."""
    peers = [manual.connect(Encoding(number % 2)) for number in range(count)]
    for peer in peers:
        peer.take()
        fanout.add(peer.delivery)
    return peers


def block(slot: int, key: int = 60) -> bytes:
    return slot.to_bytes(2, "little") + b"\x01" + bytes(4) + pack_events([note_on(key)])


def music(*slots: int) -> Music:
    return Music([MidiBlock(slot, 0, (note_on(),)) for slot in slots])


def test_play_reaches_all_but_the_sender_at_the_end_of_the_tick(manual: ManualHub, whole: Fanout) -> None:
    first, *others = listen(manual, whole, 4)
    whole.play(first.delivery, block(1))
    assert [peer.take() for peer in others] == [[]] * 3
    manual.tick()
    assert [peer.take() for peer in others] == [[music(1)]] * 3
    assert first.take() == []


def test_blocks_of_one_tick_are_one_message(manual: ManualHub, whole: Fanout) -> None:
    first, second, third = listen(manual, whole, 3)
    for sender, slot in ((first, 1), (second, 2), (first, 1)):
        whole.play(sender.delivery, block(slot))
    manual.tick()
    assert third.take() == [music(1, 2, 1)]


def test_players_of_one_tick_hear_each_other(manual: ManualHub, whole: Fanout) -> None:
    first, second, third = listen(manual, whole, 3)
    for sender, slot in ((first, 1), (second, 2), (third, 3), (first, 1)):
        whole.play(sender.delivery, block(slot))
    manual.tick()
    assert [peer.take() for peer in (first, second, third)] == [[music(2, 3)], [music(1, 3, 1)], [music(1, 2, 1)]]


def test_frame_is_one_object_for_all_listeners_of_an_encoding(
    manual: ManualHub, whole: Fanout, monkeypatch: pytest.MonkeyPatch
) -> None:
    sender, *others = listen(manual, whole, 7)
    frames: list[bytes] = []
    for peer in others:
        if peer.encoding is Encoding.BINARY:
            whole.discard(peer.delivery)
            monkeypatch.setattr(peer, "write", frames.append)
            whole.add(peer.delivery)
    whole.play(sender.delivery, block(1))
    manual.tick()
    assert len(frames) == 3
    assert len(set(map(id, frames))) == 1


def test_broadcast_comes_after_what_was_played_before_it(manual: ManualHub, whole: Fanout) -> None:
    first, second = listen(manual, whole, 2)
    whole.play(first.delivery, block(1))
    whole.broadcast(ControlMessage("chat-cleared", ChatCleared()))
    whole.play(first.delivery, block(2))
    manual.tick()
    assert second.take() == [music(1), ChatCleared(), music(2)]
    assert first.take() == [ChatCleared()]


def test_broadcast_leaves_out_who_is_skipped(manual: ManualHub, whole: Fanout) -> None:
    first, second = listen(manual, whole, 2)
    whole.broadcast(ControlMessage("chat-cleared", ChatCleared()), (first.delivery,))
    assert first.take() == []
    assert second.take() == [ChatCleared()]


def test_add_hears_nothing_from_before(manual: ManualHub, whole: Fanout) -> None:
    first, second = listen(manual, whole, 2)
    whole.play(first.delivery, block(1))
    (late,) = listen(manual, whole, 1)
    whole.play(first.delivery, block(2))
    manual.tick()
    assert late.take() == [music(2)]
    assert second.take() == [music(1), music(2)]


def test_discard_hears_nothing_more_but_is_heard(manual: ManualHub, whole: Fanout) -> None:
    first, second = listen(manual, whole, 2)
    whole.play(first.delivery, block(1))
    whole.play(second.delivery, block(2))
    whole.discard(first.delivery)
    manual.tick()
    assert first.take() == []
    assert second.take() == [music(1)]
    assert len(whole) == 1


def test_slices_let_others_have_their_turn(manual: ManualHub, fanout: Fanout) -> None:
    sender, *others = listen(manual, fanout, 6)
    fanout.play(sender.delivery, block(1))
    served = []
    for _ in range(4):
        manual.tick()
        served.append(sum(bool(peer.heard) for peer in others))
    assert served == [1, 3, 5, 5]


def test_slices_keep_music_and_messages_in_order_for_everybody(manual: ManualHub, fanout: Fanout) -> None:
    first, second, *others = listen(manual, fanout, 7)
    fanout.play(first.delivery, block(1))
    manual.tick()
    fanout.broadcast(ControlMessage("chat-cleared", ChatCleared()))
    fanout.play(second.delivery, block(2))
    manual.tick()
    fanout.broadcast(ControlMessage("stopping", Stopping(1)))
    fanout.play(first.delivery, block(3))
    manual.settle()
    for peer in others:
        assert peer.take() == [music(1), ChatCleared(), music(2), Stopping(1), music(3)]
    assert first.take() == [ChatCleared(), music(2), Stopping(1)]
    assert second.take() == [music(1), ChatCleared(), Stopping(1), music(3)]


def test_blocks_that_come_while_slices_are_written_are_joined(manual: ManualHub, fanout: Fanout) -> None:
    sender, *others = listen(manual, fanout, 5)
    fanout.play(sender.delivery, block(1))
    manual.tick()
    for slot in (2, 3):
        fanout.play(sender.delivery, block(slot))
        manual.tick()
    manual.settle()
    assert [peer.take() for peer in others] == [[music(1), music(2, 3)]] * 4


def test_add_during_slices_hears_nothing_from_before(manual: ManualHub, fanout: Fanout) -> None:
    sender, *_ = listen(manual, fanout, 5)
    fanout.play(sender.delivery, block(1))
    manual.tick()
    fanout.broadcast(ControlMessage("chat-cleared", ChatCleared()))
    fanout.play(sender.delivery, block(2))
    (late,) = listen(manual, fanout, 1)  # two messages still wait for their turn
    fanout.play(sender.delivery, block(3))
    manual.settle()
    assert late.take() == [music(3)]


def test_discard_during_slices_hears_nothing_more(manual: ManualHub, fanout: Fanout) -> None:
    sender, *others = listen(manual, fanout, 6)
    fanout.play(sender.delivery, block(1))
    manual.tick()
    gone, stays = others[-2:]
    fanout.discard(gone.delivery)
    manual.settle()
    assert gone.take() == []
    assert stays.take() == [music(1)]


def test_add_again_during_slices_hears_nothing_from_before(manual: ManualHub, fanout: Fanout) -> None:
    sender, *others = listen(manual, fanout, 6)
    fanout.play(sender.delivery, block(1))
    manual.tick()
    fanout.broadcast(ControlMessage("chat-cleared", ChatCleared()))
    back = others[-1]
    fanout.discard(back.delivery)
    fanout.add(back.delivery)  # music and message still wait for those who were there
    fanout.play(sender.delivery, block(2))
    manual.settle()
    assert back.take() == [music(2)]
    assert others[0].take() == [music(1), ChatCleared(), music(2)]


def test_renew_during_slices_hears_nothing_from_before(manual: ManualHub, fanout: Fanout) -> None:
    """A session that comes back and is told of the whole room, with the lines that are still on their way."""
    *others, returned = listen(manual, fanout, 5)
    fanout.broadcast(ControlMessage("chat-cleared", ChatCleared()))
    fanout.play(others[0].delivery, block(1))
    fanout.renew(returned.delivery)
    fanout.play(others[0].delivery, block(2))
    fanout.finish()
    assert returned.take() == [music(2)]
    assert others[-1].take() == [ChatCleared(), music(1), music(2)]


def test_finish_writes_slices_and_blocks_that_are_waiting(manual: ManualHub, fanout: Fanout) -> None:
    peers = listen(manual, fanout, 7)
    fanout.broadcast(ControlMessage("chat-cleared", ChatCleared()))
    fanout.play(peers[0].delivery, block(1))
    fanout.broadcast(ControlMessage("stopping", Stopping(1)))
    fanout.play(peers[0].delivery, block(1))
    fanout.finish()
    heard = [ChatCleared(), music(1), Stopping(1), music(1)]
    assert [peer.take() for peer in peers] == [[ChatCleared(), Stopping(1)], *[heard] * 6]
    manual.settle()
    assert [peer.take() for peer in peers] == [[]] * 7


def test_stop_of_the_hub_writes_what_is_waiting_before_the_farewell() -> None:
    small = ManualHub("hub.yield_after=2")
    peers = [small.connect() for _ in range(5)]
    for peer in peers:
        peer.say("join-room", {"room": "lobby"})
    small.settle()
    for peer in peers:
        peer.take()
    peers[0].play([note_on()])
    small.hub.stop()
    for peer in peers[1:]:
        kinds = [type(message) for message in peer.take()]
        assert kinds.index(Music) < kinds.index(Stopping)
    small.close()


class SlowMusic(Silence):
    """Music of which a snapshot takes longer than a moment."""

    playout_ms = -1  # no backlog is ever fresh

    def held(self, skip: Delivery) -> list[tuple[int, bytes]]:
        sleep(2 * JOBS_S)
        return []


def test_listeners_of_many_rooms_who_return_at_once_get_their_snapshots_one_in_a_tick(manual: ManualHub) -> None:
    rooms = [Fanout(manual.hub.pacer, SlowMusic(), SLICE) for _ in range(4)]
    peers = [peer for fanout in rooms for peer in listen(manual, fanout, 1)]
    for peer in peers:
        peer.delivery.pause()
    for peer in peers:
        peer.delivery.drain()
    live = []
    for _ in range(len(peers) + 1):
        live.append(sum(peer.delivery.state is State.LIVE for peer in peers))
        manual.tick()
    assert live == [0, 1, 2, 3, 4]


def test_listener_who_is_slow_again_at_once_rests_before_another_snapshot(manual: ManualHub) -> None:
    fanout = Fanout(manual.hub.pacer, SlowMusic(), SLICE)
    slow, other = listen(manual, fanout, 2)
    for peer in (slow, slow, other):
        peer.delivery.pause()
        peer.delivery.drain()
        manual.tick()
        manual.tick()
    assert [peer.delivery.state for peer in (slow, other)] == [State.CATCHING_UP, State.LIVE]
    while [slow.delivery.state] == [State.CATCHING_UP]:
        manual.tick()
    assert [slow.delivery.state] == [State.LIVE]


def test_job_that_fails_is_no_end_of_the_others(manual: ManualHub, errors_logged: ErrorLog) -> None:
    done: list[int] = []

    def fail() -> None:
        raise RuntimeError("of the test")

    for job in (partial(done.append, 1), fail, partial(done.append, 2)):
        manual.hub.pacer.in_turn(job)
    manual.settle()
    assert done == [1, 2]
    assert "of the test" in errors_logged.texts()[0]
    errors_logged.records.clear()
