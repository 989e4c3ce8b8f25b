"""How far from the server's clock a base time may be, to the millisecond."""

from collections.abc import Iterator

import pytest

from rhythm_protocol.binary import encode_midi
from rhythmd.hub.handlers import midi
from rhythmd.hub.ports import Encoding
from tests.client import Music, note_on
from tests.hub.manual import ManualHub

WRAP = 2**32


@pytest.fixture
def manual() -> Iterator[ManualHub]:
    manual = ManualHub()
    yield manual
    manual.close()


@pytest.mark.parametrize("now", [1_000_000, WRAP - 1, WRAP, WRAP + 1_000, 7 * WRAP - 9_999])
def test_base_time_is_kept_from_ten_seconds_behind_to_two_ahead(
    manual: ManualHub, monkeypatch: pytest.MonkeyPatch, now: int
) -> None:
    player, listener = [manual.connect(Encoding.BINARY) for _ in range(2)]
    for peer in (player, listener):
        peer.say("join-room", {"room": "Salon", "create": True})
    monkeypatch.setattr(midi, "server_ms", lambda: now)
    for difference, kept in ((2_000, 1), (2_001, 0), (-10_000, 1), (-10_001, 0), (0, 1), (WRAP // 2, 0)):
        listener.take()
        manual.hub.on_binary(player.session, encode_midi(now + difference, [note_on()]))
        manual.tick()
        (music,) = [message for message in listener.take() if isinstance(message, Music)]
        assert music.blocks[0].base_ms == (now + difference * kept) % WRAP, difference
