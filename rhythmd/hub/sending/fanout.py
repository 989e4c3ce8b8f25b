"""From what players sent in this tick to what every listener is written.

All blocks of a tick are joined once and framed once; every listener is handed the same bytes object. Who also played
in the tick gets the join without its own blocks. A room with many listeners is served in slices, so that other rooms
get their turn in between; what comes later for that room waits behind, in order.

A listener who reads too slowly is *held back*: control messages still reach it, music waits in a bounded backlog. When
it has caught up it gets that backlog if it is fresh, else a snapshot of what sounds now, and then the live stream.
"""

from collections import deque
from collections.abc import Callable, Collection, Iterator, Mapping
from functools import partial
from typing import Protocol

from rhythmd.clock import server_ms
from rhythmd.hub.ports import Encoding
from rhythmd.hub.sending.backlog import Backlog
from rhythmd.hub.sending.music import Music
from rhythmd.hub.sending.outbound import Message
from rhythmd.hub.sending.pacer import Pacer

__all__ = ["Fanout", "Listener", "Score"]


class Listener(Protocol):
    """Who can be written to."""

    @property
    def encoding(self) -> Encoding: ...

    @property
    def write(self) -> Callable[[bytes], None]:
        """For music: lost if it does not arrive."""
        ...

    @property
    def tell(self) -> Callable[[Message], None]:
        """For control messages, which are not."""
        ...


class Score(Protocol):
    """What a room knows of its music."""

    @property
    def playout_ms(self) -> int:
        """How late a note may be and still be of use."""
        ...

    def snapshot(self, listener: Listener) -> Message:
        """What everybody but `listener` holds now."""
        ...


class Fanout:
    """The listeners of one room, and what this tick has for them.

    Each listener is one of: hot, it hears all; held back; away, it is told what is said and hears no music.

    Args:
        pacer: says when to flush.
        score: of the room.
        slice_size: listeners written to before other rooms get their turn.
        backlog_bytes: music that may wait for one listener.
    """

    __slots__ = (
        "_backlog_bytes",
        "_blocks",
        "_held",
        "_hot",
        "_jobs",
        "_listeners",
        "_lists",
        "_pacer",
        "_returning",
        "_score",
        "_senders",
        "_slice_size",
    )  # fmt: skip

    def __init__(self, pacer: Pacer, score: Score, slice_size: int, backlog_bytes: int) -> None:
        self._pacer = pacer
        self._score = score
        self._slice_size = slice_size
        self._backlog_bytes = backlog_bytes
        self._listeners: dict[Listener, None] = {}
        self._hot: dict[Listener, None] = {}
        self._held: dict[Listener, Backlog] = {}
        self._returning: dict[Listener, None] = {}  # have caught up while slices were under way
        self._lists: tuple[list[Listener], list[Listener]] | None = None
        self._blocks: list[bytes] = []
        self._senders: list[Listener] = []
        self._jobs: deque[Iterator[None]] = deque()

    def __len__(self) -> int:
        return len(self._listeners)

    # Who listens

    def add(self, listener: Listener) -> None:
        """`listener` hears what is played from now on, and nothing from before."""
        self._seal()
        self._listeners[listener] = None
        self._warm(listener)

    def discard(self, listener: Listener) -> None:
        """`listener` hears nothing more; what it played is still heard."""
        self._listeners.pop(listener, None)
        self.suspend(listener)

    def suspend(self, listener: Listener) -> None:
        """`listener` is away, until `resume`."""
        self._cool(listener)
        self._held.pop(listener, None)
        self._returning.pop(listener, None)

    def hold(self, listener: Listener) -> None:
        """`listener` reads too slowly: keep its music back, until `resume`."""
        if listener in self._hot:
            self._cool(listener)
            self._held[listener] = Backlog(server_ms(), self._backlog_bytes)
        else:
            self._returning.pop(listener, None)

    def resume(self, listener: Listener) -> None:
        """`listener` reads again: give it what it missed, or what sounds now, and let it hear on.

        Not while slices are under way: what they still bring would come twice, or before a newcomer is announced.
        """
        if listener not in self._listeners or listener in self._hot:
            return
        if listener not in self._held:
            self._held[listener] = away = Backlog(server_ms(), 0)
            away.spoil()
        self._returning[listener] = None
        if not self._jobs:
            self._readmit()

    def _readmit(self) -> None:
        """Let those who have caught up hear on; the ones with a snapshot begin after all that was played until now."""
        returning, self._returning = self._returning, {}
        now, patience = server_ms(), self._score.playout_ms
        behind: list[Listener] = []
        for listener in returning:
            frames = self._held.pop(listener).take(now, patience)
            if frames is None:
                behind.append(listener)
            else:
                self._warm(listener)
                if frames:
                    listener.write(frames)
        if behind:
            self._seal()
        for listener in behind:
            self._warm(listener)
            listener.write(self._score.snapshot(listener).frame(listener.encoding))

    def _warm(self, listener: Listener) -> None:
        self._hot[listener] = None
        self._lists = None

    def _cool(self, listener: Listener) -> None:
        if self._hot.pop(listener, self) is None:
            self._lists = None

    # What they hear

    def play(self, sender: Listener, block: bytes) -> None:
        """Everybody but `sender` will hear `block`, at the end of the tick at the earliest. On the hot path."""
        if not self._blocks:
            self._pacer.mark(self)
        self._blocks.append(block)
        self._senders.append(sender)

    def broadcast(self, message: Message, skip: Collection[Listener] = ()) -> None:
        """Tell everybody but `skip`, after all that was played before it."""
        self._seal()
        self._spread([listener for listener in self._listeners if listener not in skip], partial(self._tell, message))

    def show(self, message: Message) -> None:
        """Write what is of use only now to whom nothing is waiting for."""
        self._seal()
        self._spread(list(self._hot), partial(self._show, message))

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
        music = Music(blocks)
        if self._jobs or len(self._hot) > self._slice_size:
            # The lists of now: who comes while this waits for its turn has it in the snapshot.
            self._spread([*self._hot, *self._held], partial(self._give, music, special))
        else:
            self._give_all(music, special)

    def _give_all(self, music: Message, special: Mapping[Listener, Message | None]) -> None:
        """Write `music` to all listeners, to those in `special` what stands there, or nothing."""
        # First those held back: writing may hold back another, who then has this already.
        for listener in self._held:
            self._give(music, special, listener)
        lists = self._lists
        if lists is None:
            lists = self._lists = self._by_encoding()
        for encoding in Encoding:
            # Writing may hold a listener back: self._lists is made anew then, this one stays.
            listeners = lists[encoding]
            if listeners:
                frame = music.frame(encoding)
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

    def _give(self, music: Message, special: Mapping[Listener, Message | None], listener: Listener) -> None:
        own = special.get(listener, music)
        if own is None:
            return
        if listener in self._hot:
            listener.write(own.frame(listener.encoding))
        elif (backlog := self._held.get(listener)) is not None:
            backlog.keep(own.frame(listener.encoding))

    def _tell(self, message: Message, listener: Listener) -> None:
        if listener not in self._listeners:
            return
        if listener in self._held:
            # This overtakes the music that waits: notes of who has left by then, say. A snapshot cannot be overtaken.
            self._held[listener].spoil()
        listener.tell(message)

    def _show(self, message: Message, listener: Listener) -> None:
        if listener in self._hot:
            listener.write(message.frame(listener.encoding))

    # In slices

    def _spread(self, listeners: list[Listener], give: Callable[[Listener], None]) -> None:
        """Call `give` for each of `listeners`: now, or behind what is under way if that is much."""
        if self._jobs or len(listeners) > self._slice_size:
            self._jobs.append(self._in_slices(listeners, give))
            if len(self._jobs) == 1:
                self._run_jobs()
        else:
            for listener in listeners:
                give(listener)

    def _in_slices(self, listeners: list[Listener], give: Callable[[Listener], None]) -> Iterator[None]:
        for start in range(0, len(listeners), self._slice_size):
            for listener in listeners[start : start + self._slice_size]:
                give(listener)
            yield

    def _run_jobs(self) -> None:
        """One slice, then the loop's other callbacks, then the next."""
        self._step()
        if self._jobs:
            self._pacer.soon(self._run_jobs)
        else:
            self._readmit()
            self._seal()

    def _step(self) -> None:
        if self._jobs and next(self._jobs[0], self) is self:
            self._jobs.popleft()
