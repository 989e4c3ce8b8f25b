"""One room: who is in it, in which slot, under which rules, and what it hears."""

from functools import partial
from typing import Protocol

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import (
    ChatCleared,
    Notes,
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
from rhythmd.errors import Refused
from rhythmd.hub.keeping.keptstate import KeptState
from rhythmd.hub.keeping.password import PasswordHash
from rhythmd.hub.rooms.bans import BanList
from rhythmd.hub.rooms.chatlog import ChatLog
from rhythmd.hub.rooms.cursors import CursorBoard
from rhythmd.hub.rooms.members import Member, Occupant
from rhythmd.hub.rooms.metronome import RoomMetronome
from rhythmd.hub.rooms.playout import PlayoutDelay
from rhythmd.hub.rooms.quota import NoteQuota, Rates, note_rates
from rhythmd.hub.rooms.roster import Roster
from rhythmd.hub.rooms.seats import Reservations
from rhythmd.hub.rooms.tape import Deck
from rhythmd.hub.sending.fanout import Fanout, Listener
from rhythmd.hub.sending.outbound import Message, Packet
from rhythmd.hub.sending.pacer import Pacer
from rhythmd.midi.state import as_blocks

__all__ = ["Room", "Witness"]


class Witness(Protocol):
    """Who hears of what happens to rooms."""

    def room_changed(self, room: "Room") -> None:
        """Something that the list of rooms shows."""

    def seat_changed(self, room: "Room", member: Member) -> None:
        """A member is new, or another in some way."""


class Room:
    """Membership changes and fan-out of one room. All of it is plain `def`, so each change is whole.

    Args:
        witness: hears of every change.
    """

    def __init__(
        self,
        id_: str,
        name: str,
        settings: RoomSettings,
        config: Config,
        pacer: Pacer,
        witness: Witness,
    ) -> None:
        self._witness = witness
        self._on_change = on_change = partial(witness.room_changed, self)
        self.id = id_
        self.name = name
        self.settings = settings
        self.password: PasswordHash | None = None
        self.kept: KeptState | None = None
        self.seats = Reservations()
        self.owner: Member | None = None
        self.members = Roster()
        self.bans = BanList()
        self.chat = ChatLog(config.rooms.chat_history)
        self.fanout = Fanout(pacer, self, config.hub.yield_after, config.limits.music_buffer_bytes)
        self.cursors = CursorBoard(self.fanout, pacer, config.hub.cursor_interval_ms / 1000)
        self.playout = PlayoutDelay(self.fanout, pacer, settings.playout_ms, on_change)
        self.metronome = RoomMetronome(self.fanout, on_change)
        self.deck = Deck(self.members, allow_replay=settings.allow_replay)
        self._quota_config = config.quota
        self.refill_ms = round(config.quota.refill_s * 1000)
        self.other_events = config.quota.other_events
        self._presence_limit = config.hub.presence_limit
        self._pacer = pacer
        self.quota = NoteQuota(config.quota.total_allowance, config.quota.total_maximum, self.period())

    # Who is here

    def add(self, occupant: Occupant, *, as_owner: bool = False) -> Member:
        """Give `occupant` a slot. The room is told, after it has heard what was played before."""
        member = Member(occupant, self.members.free_slot(), self.new_quota(is_owner=as_owner))
        if as_owner or len(self.members) < self._presence_limit:
            self.announce(member)
        self.members[member.slot] = member
        self.seats.release(member.profile.id)
        if as_owner:
            self.owner = member
            self.changed()
        self.fanout.add(member)
        self.deck.seat(member)
        self._on_change()
        self._witness.seat_changed(self, member)
        return member

    def restore(self, member: Member) -> None:
        """Put a member back where they were before the server's start; they are away."""
        self.members[member.slot] = member
        member.reconnecting = True
        self.fanout.add(member)
        self.fanout.suspend(member)
        self.deck.seat(member)

    def remove(self, member: Member, reason: str) -> None:
        """Take `member` out; what it held is released first, its ownership passes to the longest present."""
        self.release(member)
        self.fanout.discard(member)
        self.cursors.forget(member.slot)
        self.playout.forget(member.slot)
        self.deck.leave(member)
        del self.members[member.slot]
        if member.announced:
            self.broadcast("user-left", UserLeft(member.slot, member.profile.id, reason))
        if self.owner is member:
            self.owner = None
            # Not at once: when many are lost together, each would inherit from the one before, and tell all others.
            self._pacer.soon(self.crown)
        self._on_change()

    def part(self, member: Member) -> None:
        """The connection of `member` is lost: nothing of theirs goes on sounding, their place is held."""
        self.release(member)
        self.fanout.suspend(member)
        self.cursors.forget(member.slot)
        self.set_reconnecting(member, reconnecting=True)

    def set_reconnecting(self, member: Member, *, reconnecting: bool) -> None:
        """Let the room know that `member` is away, or back."""
        if member.reconnecting is not reconnecting:
            member.reconnecting = reconnecting
            self.member_changed(member)

    def crown(self) -> None:
        """Make the longest present the owner, if there is none; but a kept room waits for its own."""
        if self.owner is not None or self.settings.type is RoomType.LOBBY:
            return
        if self.kept is not None:
            self.changed()
        else:
            self.set_owner(next(iter(self.members.values()), None))

    def announce(self, member: Member) -> None:
        """Tell the room of `member`. In a big room that happens when they first do something."""
        member.announced = True
        self.broadcast("user-joined", UserJoined(member.as_user()), skip=member)

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

    def broadcast(self, type_: str, data: object, skip: Member | None = None) -> None:
        self.fanout.broadcast(Packet(type_, data), () if skip is None else (skip,))

    def clear_chat(self) -> None:
        """Forget the chat, here and on every screen."""
        self.chat.clear()
        self.broadcast("chat-cleared", ChatCleared())

    def play(self, member: Member, block: bytes) -> None:
        """Everybody else hears `block`, a tape that runs has it. On the hot path."""
        for tape in self.deck.running:
            tape.blocks += block
        self.fanout.play(member, block)

    def release(self, member: Member) -> None:
        """End whatever `member` holds, for all listeners."""
        if member.notes is not None:
            for block in as_blocks(member.slot_bytes, member.notes.release()):
                self.play(member, block)

    def snapshot(self, listener: Listener) -> Message:
        """What everybody but `listener` holds now."""
        return Packet("notes", Notes(self.notes(listener)))

    def notes(self, skip: Listener | None = None) -> list[SlotState]:
        """What every player but `skip` holds now."""
        states = (
            (member.slot, member.notes.snapshot())
            for member in self.members.values()
            if member.notes is not None and member is not skip
        )
        return [SlotState(slot, state) for slot, state in states if state]

    # Its rules

    def may_play(self, member: Member) -> ErrorCode | None:
        """None, or why this member's notes stay silent."""
        if member.notes_muted or member.self_muted:
            return ErrorCode.NOTES_MUTED
        if self.settings.only_owner_can_play and self.owner is not member:
            return ErrorCode.ONLY_OWNER_CAN_PLAY
        return None

    def require_owner(self, member: Member) -> None:
        """Raise Refused unless `member` owns the room."""
        if self.owner is not member:
            raise Refused(ErrorCode.NOT_OWNER, "only the room's owner may do this")

    def require_authority(self, member: Member) -> None:
        """Raise Refused unless `member` owns the room or is one of the server's moderators."""
        if not member.profile.is_moderator:
            self.require_owner(member)

    def change_settings(self, settings: RoomSettings, name: str, password: PasswordHash | None) -> None:
        """Put new rules in force at once: who may not play any more is released."""
        self.settings, self.name, self.password = settings, name, password
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

    def changed(self) -> None:
        """Tell the room, and whoever lists rooms, what it is like now."""
        self.broadcast("room-updated", RoomUpdated(self.info()))
        self._on_change()

    def member_changed(self, member: Member) -> None:
        """Tell the room what `member` is like now, if it knows of them."""
        if self.may_play(member) is not None:
            self.release(member)
        self._witness.seat_changed(self, member)
        if member.announced:
            self.broadcast("user-updated", UserUpdated(member.as_user()))

    def period(self) -> int:
        """Number of the quota's refill period at this moment."""
        return server_ms() // self.refill_ms

    def refresh_quota(self, member: Member) -> None:
        """Give `member` the note quota of the room and their role, and tell them when it changed."""
        rates = self._rates(is_owner=member is self.owner)
        if rates != (member.quota.allowance, member.quota.maximum):
            member.quota.set_rates(*rates)
            member.send("quota", member.quota.state())

    def new_quota(self, *, is_owner: bool = False) -> NoteQuota:
        """The note quota of one who has not played yet."""
        return NoteQuota(*self._rates(is_owner=is_owner), self.period())

    def _rates(self, *, is_owner: bool) -> Rates:
        return note_rates(self._quota_config, self.settings, is_owner=is_owner)

    @property
    def has_password(self) -> bool:
        return self.password is not None or (self.kept is not None and self.kept.password_hash is not None)

    @property
    def playout_ms(self) -> int:
        """How long after its time a note sounds."""
        return self.playout.delay_ms

    def info(self) -> RoomInfo:
        return RoomInfo(
            id=self.id,
            name=self.name,
            settings=self.settings,
            has_password=self.has_password,
            players=len(self.members),
            owner=self.owner.profile.id if self.owner else None,
            playout_ms=self.playout_ms,
            metronome=self.metronome.state,
            recording=self.deck.recorded_by is not None,
        )
