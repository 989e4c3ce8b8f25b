"""From what players sent in this tick to what every listener is written.

All blocks of a tick are joined once and framed once; every listener is handed the same bytes object. A player of the
tick gets the join without their own blocks. A room with many listeners is served in slices, so that other rooms get
their turn in between; what comes later for that room waits behind, in order.

What a listener gets at this moment, everything, a backlog or nothing, is its `Delivery`'s to say.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from functools import partial
from time import monotonic
from typing import Final, Protocol

from rhythmd.clock import server_ms
from rhythmd.hub.ports import Encoding
from rhythmd.hub.sending.delivery import Delivery, State
from rhythmd.hub.sending.groups import Groups, grouped
from rhythmd.hub.sending.outbound import HeldState, Music, Outbound
from rhythmd.hub.sending.pacer import Pacer

__all__ = ["Fanout", "RoomMusic"]

SLICE_BYTES: Final = 65_536
"""Of music, for all listeners of a slice together: to make JSON of it and to write it takes less than a millisecond."""
RESTS: Final = 200
"""Times what a snapshot took, until a listener gets the next one: who is slow again at once would cost without end."""
FEW_BLOCKS: Final = 8
"""Up to which nobody adds up how long they are; each has at most 1,282 bytes."""


class RoomMusic(Protocol):
    """What a room knows of its music."""

    @property
    def playout_ms(self) -> int:
        """How late a note may be and still be of use."""
        ...

    def held(self, skip: Delivery) -> Sequence[tuple[int, bytes]]:
        """What everybody but this listener holds now, by slot."""
        ...


class Fanout:
    """The listeners of one room, and what this tick has for them.

    Args:
        pacer: says when to flush.
        music: of the room.
        slice_size: listeners written to before other rooms get their turn.
    """

    __slots__ = (
        "_blocks", "_cached_groups", "_entries", "_has_returned", "_jobs", "_listeners", "_music", "_pacer", "_senders",
        "_slice_size", "_told", "_waking",
    )  # fmt: skip

    def __init__(self, pacer: Pacer, music: RoomMusic, slice_size: int) -> None:
        self._pacer = pacer
        self._music = music
        self._slice_size = slice_size
        self._listeners: dict[Delivery, int] = {}  # with the number of their entry: a client may leave and come back
        self._entries = 0
        self._cached_groups: Groups | None = None  # until a listener changes
        self._blocks: list[bytes] = []
        self._senders: list[Delivery | None] = []
        self._jobs: deque[Iterator[None]] = deque()
        self._told: HeldState | None = None  # to those who return, while there are more
        self._has_returned = False  # whether somebody who has caught up is not let in yet
        self._waking: asyncio.TimerHandle | None = None  # when one of those has rested

    def __len__(self) -> int:
        return len(self._listeners)

    # The listeners

    def add(self, delivery: Delivery) -> None:
        """`delivery` hears what is played from now on, and nothing from before."""
        self._seal()
        self._entries += 1
        self._listeners[delivery] = self._entries
        self._cached_groups = None
        delivery.enter(self)

    def renew(self, delivery: Delivery) -> None:
        """`delivery` is told of the room as it is: what waits for its turn until now is in that, and not for it."""
        self._seal()
        self._entries += 1
        self._listeners[delivery] = self._entries

    def discard(self, delivery: Delivery) -> None:
        """`delivery` hears nothing more; what it played is still heard."""
        if self._listeners.pop(delivery, None) is not None:
            self._cached_groups = None
            delivery.leave()

    def delivery_changed(self, delivery: Delivery) -> None:
        """A listener gets something else from now on; one that has caught up is let in.

        Not while slices are under way: what they still bring would come twice, or before a newcomer is announced.
        """
        self._cached_groups = None
        if delivery.state is not State.CATCHING_UP:
            return
        if self._jobs:
            self._has_returned = True
        elif self._admit([delivery]):
            self._has_returned = True
            self._pacer.in_turn(self._admit_next)

    def _admit(self, returning: Iterable[Delivery]) -> list[Delivery]:
        """Let listeners hear on whose backlog is fresh; the others, who need a snapshot."""
        now, patience = server_ms(), self._music.playout_ms
        behind: list[Delivery] = []
        for delivery in returning:
            frames = None if delivery.backlog is None else delivery.backlog.take(now, patience)
            if frames is None:
                behind.append(delivery)
                continue
            delivery.admit()
            if frames:
                delivery.write(frames)
        return behind

    def _admit_next(self) -> None:
        """Let those who have caught up hear on, of whom one gets a snapshot; not while slices are under way."""
        if not self._has_returned or self._jobs:
            return
        behind = self._admit([one for one in self._listeners if one.state is State.CATCHING_UP])
        now = monotonic()
        rested = [delivery for delivery in behind if delivery.rests_until <= now]
        if rested:
            behind.remove(rested[0])
            self._tell_held(rested[0])
            rested[0].rests_until = now + RESTS * (monotonic() - now)
        self._has_returned = bool(behind)
        if len(rested) > 1:
            self._pacer.in_turn(self._admit_next)
        elif behind:
            if self._waking is not None:
                self._waking.cancel()
            self._waking = self._pacer.later(min(one.rests_until for one in behind) - now, self._admit_next)
        else:
            self._told = None

    def _tell_held(self, delivery: Delivery) -> None:
        """Let `delivery` hear on from what everybody else holds.

        That stands for all that was played until now, so it is sealed first: a listener with a stale backlog is in none
        of the groups that it goes to. Those who hold nothing get the same message, while nothing changes.
        """
        self._cached_groups = None
        self._seal()
        delivery.admit()
        held = self._music.held(delivery)
        if self._told is None or self._told.held != held:
            self._told = HeldState(held)
        delivery.send(self._told)

    def _groups(self) -> Groups:
        groups = self._cached_groups
        if groups is None:
            groups = self._cached_groups = grouped(self._listeners)
        return groups

    # What they hear

    def play(self, sender: Delivery | None, block: bytes) -> None:
        """Everybody but `sender` will hear `block`, at the end of the tick at the earliest. On the hot path."""
        if not self._blocks:
            self._pacer.mark(self)
        self._blocks.append(block)
        self._senders.append(sender)

    def broadcast(self, message: Outbound, skip: Collection[Delivery] = ()) -> None:
        """Send `message` to everybody but `skip`, after all that was played before it."""
        self._seal()
        send = partial(self._send, message, self._entries)
        listeners = [listener for listener in self._listeners if listener not in skip]
        self._pacer.count_told(len(listeners))
        self._spread(listeners, send, self._slice_size)

    def _listens(self, delivery: Delivery, entries: int) -> bool:
        """Whether `delivery` has listened since there were so many entries: what waited for its turn is for those."""
        entry = self._listeners.get(delivery)
        return entry is not None and entry <= entries

    def _send(self, message: Outbound, entries: int, delivery: Delivery) -> None:
        if not self._listens(delivery, entries):
            return
        if delivery.backlog is not None and not message.row.is_shed:
            # This overtakes the music that waits: notes of somebody who has left by then, say. A snapshot cannot be
            # overtaken.
            delivery.backlog.spoil()
        delivery.send(message)

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
        special: dict[Delivery | None, Outbound | None] = dict.fromkeys(senders)
        # Nobody gets their own notes back: a player heard them when the key went down, and would hear an echo. In most
        # ticks one member plays, so that all listeners share one frame and the player gets none.
        texts: dict[bytes, bytes] = {}
        if len(special) > 1:
            for player in special:
                special[player] = Music(blocks, texts, senders, player)
        music, groups = Music(blocks, texts), self._groups()
        slice_size = self._slice_size
        if len(blocks) > FEW_BLOCKS:
            slice_size = min(slice_size, SLICE_BYTES // sum(map(len, blocks)) + 1)
        if self._jobs or groups.size > slice_size:
            # The groups of now: a listener who comes while this waits for its turn has it in the snapshot.
            live = [delivery for group in groups.live for delivery, _ in group]
            self._spread([*live, *groups.behind], partial(self._give, music, special, self._entries), slice_size)
        else:
            self._give_all(music, special, groups)

    def _give_all(self, music: Outbound, special: Mapping[Delivery | None, Outbound | None], groups: Groups) -> None:
        """Write `music` to all listeners, to those in `special` what stands there, or nothing."""
        # First those behind: writing may throttle another listener, who then has this already.
        for delivery in groups.behind:
            self._give(music, special, self._entries, delivery)
        for encoding in Encoding:
            group = groups.live[encoding]
            if group:
                frame = music.frame(encoding)
                for delivery, write in group:
                    if delivery not in special:
                        write(frame)
                    elif (own := special[delivery]) is not None:
                        write(own.frame(encoding))

    def _give(
        self, music: Outbound, special: Mapping[Delivery | None, Outbound | None], entries: int, delivery: Delivery
    ) -> None:
        own = special.get(delivery, music)
        if own is None or not self._listens(delivery, entries):
            return
        if delivery.state is State.LIVE:
            delivery.write(own.frame(delivery.encoding))
        elif delivery.backlog is not None:
            delivery.backlog.append(own.frame(delivery.encoding))

    # In slices

    def _spread(self, listeners: list[Delivery], give: Callable[[Delivery], None], size: int) -> None:
        """Call `give` for each of `listeners`: now, or behind what is under way if they are more than `size`."""
        if self._jobs or len(listeners) > size:
            self._jobs.append(self._in_slices(listeners, give, size))
            if len(self._jobs) == 1:
                self._run_jobs()
        else:
            for listener in listeners:
                give(listener)

    # Each listener is a system call. A flush to five thousand at once would keep all other rooms waiting for tens of
    # milliseconds (`python -m bench concert`); in slices the loop serves them in between.

    def _in_slices(self, listeners: list[Delivery], give: Callable[[Delivery], None], size: int) -> Iterator[None]:
        for start in range(0, len(listeners), size):
            for listener in listeners[start : start + size]:
                give(listener)
            yield

    def _run_jobs(self) -> None:
        """One slice, then the loop's other callbacks, then the next."""
        self._step()
        if self._jobs:
            self._pacer.soon(self._run_jobs)
        else:
            self._admit_next()
            self._seal()

    def _step(self) -> None:
        if self._jobs and next(self._jobs[0], self) is self:
            self._jobs.popleft()
