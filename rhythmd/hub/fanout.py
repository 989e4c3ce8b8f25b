"""From what players sent in this tick to what every listener is written.

All blocks of a tick are joined once and framed once; every listener is handed the same bytes object. Who also played
in the tick gets the join without its own blocks. A room with many listeners is served in slices, so that other rooms
get their turn in between; what comes later for that room waits behind, in order.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from typing import Final, Protocol

from rhythm_protocol.binary import OP_MIDI, decode_midi_blocks
from rhythm_protocol.control import encode_text
from rhythm_protocol.messages import MidiBlockData, MidiOutput
from rhythmd.hub.pacer import Pacer
from rhythmd.hub.packet import Message
from rhythmd.hub.peer import Encoding

__all__ = ["Fanout", "Listener", "Music"]

_MIDI: Final = bytes((OP_MIDI,))


class Listener(Protocol):
    """Who can be written to."""

    @property
    def encoding(self) -> Encoding: ...

    @property
    def write(self) -> Callable[[bytes], None]: ...


class Music(Message):
    """Some players' blocks as one message."""

    __slots__ = ("_payload",)

    def __init__(self, blocks: Iterable[bytes]) -> None:
        super().__init__()
        self._payload = _MIDI + b"".join(blocks)

    def binary(self) -> bytes:
        return self._payload

    def text(self) -> bytes:
        return encode_text("midi-event", _as_output(self._payload))


def _as_output(payload: bytes) -> MidiOutput:
    return MidiOutput(
        [
            MidiBlockData(block.slot, block.base_ms, [(*event,) for event in block.events])
            for block in decode_midi_blocks(payload)
        ]
    )


class Fanout:
    """The listeners of one room, and what this tick has for them.

    Args:
        pacer: says when to flush.
        slice_size: listeners written to before other rooms get their turn.
    """

    __slots__ = ("_blocks", "_hot", "_jobs", "_lists", "_pacer", "_senders", "_slice_size")

    def __init__(self, pacer: Pacer, slice_size: int) -> None:
        self._pacer = pacer
        self._slice_size = slice_size
        self._hot: dict[Listener, None] = {}
        self._lists: tuple[list[Listener], list[Listener]] | None = None
        self._blocks: list[bytes] = []
        self._senders: list[Listener] = []
        self._jobs: deque[Iterator[None]] = deque()

    def __len__(self) -> int:
        return len(self._hot)

    def add(self, listener: Listener) -> None:
        """`listener` hears what is played from now on, and nothing from before."""
        self._seal()
        self._hot[listener] = None
        self._lists = None

    def discard(self, listener: Listener) -> None:
        """`listener` hears nothing more; what it played is still heard."""
        if self._hot.pop(listener, self) is None:
            self._lists = None

    def play(self, sender: Listener, block: bytes) -> None:
        """Everybody but `sender` will hear `block`, at the end of the tick at the earliest. On the hot path."""
        if not self._blocks:
            self._pacer.mark(self)
        self._blocks.append(block)
        self._senders.append(sender)

    def broadcast(self, message: Message, skip: Collection[Listener] = ()) -> None:
        """Write `message` to everybody but `skip`, after all that was played before it."""
        self._seal()
        self._send(message, dict.fromkeys(skip))

    def flush(self) -> None:
        """The tick is over. While slices are under way the next blocks go on collecting."""
        if not self._jobs:
            self._seal()

    def finish(self) -> None:
        """Write all that is waiting, slices included, now."""
        self._seal()
        while self._jobs:
            self._step()

    def _seal(self) -> None:
        """What was played until now goes to those who listen now, in this order."""
        if not self._blocks:
            return
        blocks, self._blocks = self._blocks, []
        senders, self._senders = self._senders, []
        self._pacer.count_flush(len(blocks))
        special: dict[Listener, Message | None] = dict.fromkeys(senders)
        if len(special) > 1:  # players of one tick hear each other, not themselves
            for player in special:
                special[player] = Music(
                    block for block, sender in zip(blocks, senders, strict=True) if sender is not player
                )
        self._send(Music(blocks), special)

    def _send(self, message: Message, special: Mapping[Listener, Message | None]) -> None:
        """Write `message` to all listeners, to those in `special` what stands there, or nothing."""
        if self._jobs or len(self._hot) > self._slice_size:
            # The list of now: who comes while this waits for its turn has it in the snapshot.
            self._jobs.append(self._in_slices(message, special, list(self._hot)))
            if len(self._jobs) == 1:
                self._run_jobs()
        else:
            self._write(message, special)

    def _write(self, message: Message, special: Mapping[Listener, Message | None]) -> None:
        lists = self._lists
        if lists is None:
            lists = self._lists = self._by_encoding()
        for encoding in Encoding:
            # Writing may take a listener out (its buffer is full): self._lists is made anew then, this one stays.
            listeners = lists[encoding]
            if listeners:
                frame = message.frame(encoding)
                for listener in listeners:
                    if listener not in special:
                        listener.write(frame)
        for listener, own in special.items():
            if own is not None and listener in self._hot:
                listener.write(own.frame(listener.encoding))

    def _by_encoding(self) -> tuple[list[Listener], list[Listener]]:
        return (
            [listener for listener in self._hot if listener.encoding is Encoding.BINARY],
            [listener for listener in self._hot if listener.encoding is Encoding.TEXT],
        )

    def _in_slices(
        self, message: Message, special: Mapping[Listener, Message | None], listeners: list[Listener]
    ) -> Iterator[None]:
        for start in range(0, len(listeners), self._slice_size):
            for listener in listeners[start : start + self._slice_size]:
                own = special.get(listener, message)
                if own is not None and listener in self._hot:
                    listener.write(own.frame(listener.encoding))
            yield

    def _run_jobs(self) -> None:
        """One slice, then the loop's other callbacks, then the next."""
        self._step()
        if self._jobs:
            self._pacer.soon(self._run_jobs)
        else:
            self._seal()

    def _step(self) -> None:
        if self._jobs and next(self._jobs[0], self) is self:
            self._jobs.popleft()
