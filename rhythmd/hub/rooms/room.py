"""One room: who is in it, in which slot, under which rules, and what it hears."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Final
from weakref import proxy

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import (
    RoomInfo,
    RoomSettings,
    RoomType,
    RoomUpdated,
    SlotState,
    UserJoined,
    UserLeft,
    UserUpdated,
)
from rhythmd.clock import server_ms
from rhythmd.config import Config
from rhythmd.hub.rooms.admission import Reservations
from rhythmd.hub.rooms.chat import ChatLog
from rhythmd.hub.rooms.cursors import CursorBoard
from rhythmd.hub.rooms.keeper import Keeper
from rhythmd.hub.rooms.lingering import Vacancy
from rhythmd.hub.rooms.members import Member, Occupant, Roster
from rhythmd.hub.rooms.news import News, Topic
from rhythmd.hub.rooms.performance import RoomPerformance
from rhythmd.hub.rooms.quota import NoteQuota, RoomBudget, RoomQuota, Traffic, note_rates
from rhythmd.hub.rooms.sanctions import Sanctions
from rhythmd.hub.rooms.tape import Deck
from rhythmd.hub.rooms.timing import PlayoutDelay, RoomMetronome
from rhythmd.hub.sending.delivery import Delivery
from rhythmd.hub.sending.fanout import Fanout
from rhythmd.hub.sending.outbound import ControlMessage, slot_states
from rhythmd.hub.sending.pacer import Pacer
from rhythmd.interpreter import weakly
from rhythmd.midi.state import MANY_KEYS, as_blocks

__all__ = ["Room"]

ROOM: Final = ("room-updated", 0)


class Room:
    """Membership changes and fan-out of one room. All of it is plain `def`, so each change is whole.

    Args:
        make_keeper: gives the room its keeper; its other parts do not keep it, or nothing of it would go at once.
        on_change: called after every change that a list of rooms shows.
    """

    def __init__(
        self,
        id_: str,
        name: str,
        settings: RoomSettings,
        config: Config,
        pacer: Pacer,
        make_keeper: Callable[["Room"], Keeper],
        on_change: Callable[["Room"], None],
        seats: Reservations,
    ) -> None:
        self._on_change = on_change
        self.id, self.name, self.settings = id_, name, settings
        self.seats = seats
        self.owner: Member | None = None
        self.vacancy = Vacancy()
        self.members = Roster()
        self.sanctions = Sanctions(self.members, weakly(self.member_changed), config.rooms)
        self.chat = ChatLog(config.rooms.chat_history)
        self.fanout = Fanout(pacer, proxy(self), config.hub.yield_after)
        self.cursors = CursorBoard(self.fanout, pacer, config.hub.cursor_interval_ms / 1000)
        self.news = News(self.fanout, pacer, config.hub.news_per_s)
        self.budget = RoomBudget(config.hub.room_deliveries_per_s, config.limits.whispers_per_minute)
        noted = weakly(self._note_change)
        self.playout = PlayoutDelay(self.fanout, pacer, settings.playout_ms, noted)
        self.deck = Deck(self.members, allow_replay=settings.allow_replay)
        self.metronome = RoomMetronome(self.fanout, self.deck.keep_time, noted)
        sheet_changed, most = partial(weakly(self.changed), self.news.tell_now), config.limits.performance_events_per_s
        self.performance = RoomPerformance(self.fanout, self.members, self.deck, pacer, sheet_changed, most)
        self._quota_config = config.quota
        self.refill_ms = round(config.quota.refill_s * 1000)
        self.traffic = Traffic(config.quota, self.members)
        self.quota = RoomQuota(config.quota.total_allowance, config.quota.total_maximum, self.members)
        self._presence_limit, self._pacer, self._is_closed = config.hub.presence_limit, pacer, False
        self.keeper = make_keeper(self)

    # Its members

    def add(self, occupant: Occupant, *, as_owner: bool = False) -> Member:
        """Give `occupant` a slot. The room is told, after it has heard what was played before."""
        member = self._new_member(occupant, self.members.free_slot(), is_owner=as_owner)
        self.sanctions.seat(member)
        if as_owner or occupant.player.is_moderator or len(self.members) < self._presence_limit:
            self.announce(member)
        self.members[member.slot] = member
        was_reserved = self.seats.take_up(member.player.id, self.settings.max_players - len(self.members))
        self.vacancy.empty_until = None
        if as_owner:
            former, self.owner, self.vacancy.claimant = self.owner, member, None
            if former is not None:
                self._apply_rules(former)
        if as_owner or was_reserved:
            self.changed()
        self.fanout.add(member.delivery)
        self._note_change()
        self.keeper.seat_taken(member)
        self._find_owner()
        return member

    def restore(self, occupant: Occupant, slot: int) -> Member:
        """Put a member back where they were before the server's start; they are away."""
        member = self.members[slot] = self._new_member(occupant, slot)
        member.reconnecting = True
        self.fanout.add(member.delivery)
        return member

    def _new_member(self, occupant: Occupant, slot: int, *, is_owner: bool = False) -> Member:
        rates = note_rates(self._quota_config, self.settings, is_owner=is_owner)
        member = Member(occupant, slot, NoteQuota(*rates, self._period()))
        self.deck.seat(member)
        return member

    def remove(self, member: Member, reason: str) -> None:
        """Take `member` out; what it held is released first, its ownership passes to the longest present."""
        self.release(member)
        self.fanout.discard(member.delivery)
        self.cursors.forget(member.slot)
        self.news.forget(member.slot)
        self.playout.forget(member.slot)
        self.deck.leave(member)
        del self.members[member.slot]
        if not self.members:
            self.performance.stop(server_ms())
        if member.announced:
            self.broadcast("user-left", UserLeft(member.slot, member.player.id, reason))
        if self.owner is member:
            self.owner = None
            self.vacancy.owner = member.player.id
            # Not at once: when many are lost together, each would inherit from the one before, and tell all others.
            self._pacer.soon(self.pass_ownership)
        self._note_change()
        self.keeper.seat_left(member)

    def part(self, member: Member) -> None:
        """The connection of `member` is lost: nothing of theirs goes on sounding, their place is reserved."""
        self.release(member)
        self.cursors.forget(member.slot)
        self.set_reconnecting(member, reconnecting=True)

    def set_reconnecting(self, member: Member, *, reconnecting: bool) -> None:
        """Let the room know that `member` is away, or back."""
        if member.reconnecting is not reconnecting:
            member.reconnecting = reconnecting
            self.member_changed(member)
            self._find_owner()

    def _find_owner(self) -> None:
        """A room has no owner while all in it are away: the first who is there becomes it."""
        if self.owner is None and self.keeper.passes_ownership:
            self.pass_ownership()

    def pass_ownership(self) -> None:
        """Make the longest present of those who are there the owner, if there is none.

        But an account's room waits for its own, and a room in which all are away for the first to come back.
        """
        if self.owner is not None or not self.members or self.settings.type is RoomType.LOBBY:
            return
        if self.keeper.passes_ownership:
            self.set_owner(self.members.heir())
        else:
            self.changed()

    def announce(self, member: Member) -> None:
        """Tell the room of `member`. In a big room that happens when they first do something."""
        member.announced = True
        self.broadcast("user-joined", UserJoined(member.as_user()), skip=(member,))

    def set_owner(self, owner: Member | None) -> None:
        former, self.owner = self.owner, owner
        for member in (former, owner):
            if member is not None and member.slot in self.members:
                self._apply_rules(member)
        if owner is not None:
            if not owner.announced:
                self.announce(owner)
            self.changed()

    # What it hears

    def broadcast(self, type_: str, data: object, skip: Iterable[Member] = ()) -> None:
        self.fanout.broadcast(ControlMessage(type_, data), {member.delivery for member in skip})

    def play(self, member: Member, block: bytes) -> None:
        """Everybody else hears `block`, a tape that runs has it. On the hot path."""
        for tape in self.deck.running:
            tape.blocks += block
        self.fanout.play(member.delivery, block)

    def release(self, member: Member) -> None:
        """End whatever `member` holds, for all listeners."""
        if member.notes is not None:
            for block in as_blocks(member.slot_bytes, member.notes.release(MANY_KEYS)):
                self.play(member, block)

    def held(self, skip: Delivery | None = None) -> list[tuple[int, bytes]]:
        """What every player but `skip` holds now, by slot."""
        return [*self.members.held(skip), *self.performance.held()]

    def notes(self, skip: Delivery | None = None) -> list[SlotState]:
        """The same as messages."""
        return slot_states(self.held(skip))

    # Its rules

    def may_play(self, member: Member) -> ErrorCode | None:
        """None, or why this member's notes stay silent."""
        if member.self_muted or (member.notes_muted and self.sanctions.silences(member)):
            return ErrorCode.NOTES_MUTED
        if self.settings.only_owner_can_play and self.owner is not member:
            return ErrorCode.ONLY_OWNER_CAN_PLAY
        return None

    def change_settings(self, name: str, settings: RoomSettings) -> None:
        """Put new rules in force at once: a member who may not play any more is released."""
        self.settings, self.name = settings, name
        self.playout.fix(settings.playout_ms)
        self.deck.allow_replay(allowed=settings.allow_replay)
        for member in list(self.members.values()):
            self._apply_rules(member)
        self.changed()

    def _apply_rules(self, member: Member) -> None:
        """After a change of rules or role: release who may not play any more, set the quota."""
        if self.may_play(member) is not None:
            self.release(member)
        self.refresh_quota(member)

    def changed(self, tell: Callable[[Topic, Callable[[], object]], None] | None = None) -> None:
        """Tell the room, and whoever lists rooms, what it is like now."""
        (tell or self.news.tell)(ROOM, lambda: RoomUpdated(self.info()))
        self._note_change()

    def _note_change(self) -> None:
        if not self._is_closed:  # timers of a room may outlive it
            self._on_change(self)
            self.keeper.room_changed()

    def close(self) -> None:
        """The room is no longer live."""
        self._is_closed = True
        self.keeper = self.keeper.room_closed()

    def member_changed(self, member: Member) -> None:
        """Tell the room what `member` is like now, if it knows of them."""
        if self.may_play(member) is not None:
            self.release(member)
        self.keeper.seat_taken(member)
        if member.announced:
            self.news.tell(("user-updated", member.slot), lambda: UserUpdated(member.as_user()))

    def _period(self) -> int:
        """The quota's."""
        return server_ms() // self.refill_ms

    def refresh_quota(self, member: Member) -> None:
        """Give `member` the note quota of the room and their role, and tell them when it changed."""
        rates = note_rates(self._quota_config, self.settings, is_owner=member is self.owner)
        if rates != (member.quota.allowance, member.quota.maximum):
            member.quota.set_rates(*rates)
            member.send("quota", member.quota.state())

    @property
    def playout_ms(self) -> int:
        """How long after its time a note sounds."""
        return self.playout.delay_ms

    def info(self) -> RoomInfo:
        return RoomInfo(
            id=self.id,
            name=self.name,
            settings=self.settings,
            has_password=self.keeper.has_password,
            players=len(self.members),
            reserved=len(self.seats),
            owner=self.owner.player.id if self.owner else None,
            playout_ms=self.playout_ms,
            metronome=self.metronome.state,
            recording=self.deck.recorded_by is not None,
            sheet=self.performance.state,
        )
