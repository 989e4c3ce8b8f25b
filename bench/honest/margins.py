"""How near people came to each limit at worst, by what they sent and asked for. A limit that is reached is 1.

Where the server keeps an account of it, the same kind of account is kept here, with the moments at which people sent.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from itertools import pairwise
from operator import attrgetter
from typing import Final, NamedTuple

import msgspec

from bench.honest.doings import Asked, Doings, Frame
from rhythm_protocol.binary import OP_CONTROL, OP_MIDI
from rhythm_protocol.messages import RoomSettings
from rhythm_protocol.midi import EVENT_SIZE, NOTE_ON
from rhythm_protocol.websocket import BINARY, TEXT
from rhythmd.addresses import customer_network
from rhythmd.client.codec import Envelope, decode_binary, decode_text
from rhythmd.config import Config
from rhythmd.hub.rooms.quota import DELIVERY_CREDIT_S, NoteQuota, TokenBucket, note_rates
from rhythmd.net.places import most_http_of_one
from rhythmd.rest.serving.rates import HOUR_S, MINUTE_S

__all__ = ["LIMITS", "LOOP", "CpuSample", "Used", "used"]

LOOP: Final = "loop"
LIMITS: Final = {
    "sockets": "limits.connections_per_address",
    "HTTP": "limits.http_connections, of one network",
    "messages": "limits.messages_burst",
    "input": "limits.input_burst_s",
    "notes": "quota, of a player",
    "room's notes": "quota.total_maximum",
    "events": "quota.other_events",
    "whispers": "limits.whispers_per_minute",
    "deliveries": "hub.room_deliveries_per_s",
    "requests": "limits.requests_per_minute",
    "logins": "limits.auth_requests_per_minute",
    "accounts": "limits.accounts_per_hour",
    "uploads": "limits.uploads_per_minute",
    LOOP: "limits.network_share",
}
"""What is looked at, and the key of its limit."""
_NOTES: Final = "midi-event"
_CONTROL: Final = bytes((OP_CONTROL,))
_MUSIC: Final = bytes((OP_MIDI,))
_CHANNEL: Final = 0xF0
_HEAD: Final = 5

Used = dict[str, float]


class CpuSample(NamedTuple):
    """What the server `pid` had used of the processor at a moment, in seconds."""

    pid: int
    moment: float
    seconds: float


class _Paid:
    """An account by the generic cell rate algorithm: how far it was ahead of the clock at worst, in seconds."""

    def __init__(self) -> None:
        self._at = 0.0
        self.worst = 0.0

    def pay(self, now: float, price_s: float) -> None:
        self._at = max(self._at, now) + price_s
        self.worst = max(self.worst, self._at - now)


def _said(frame: Frame) -> Envelope | None:
    """The control message that a frame is; None if it is something else."""
    if frame.opcode == TEXT:
        return decode_text(frame.payload)
    is_control = frame.opcode == BINARY and frame.payload[:1] == _CONTROL
    return decode_binary(frame.payload) if is_control else None


def _played(frame: Frame, said: Envelope | None) -> tuple[int, int]:
    """Note-ons, and events of any kind."""
    if said is not None:
        events = said.data["events"] if said.type == _NOTES else ()
        return sum(event[1] & _CHANNEL == NOTE_ON and event[3] > 0 for event in events), len(events)
    payload = frame.payload
    if frame.opcode != BINARY or payload[:1] != _MUSIC:
        return 0, 0
    statuses, velocities = payload[_HEAD + 2 :: EVENT_SIZE], payload[_HEAD + 4 :: EVENT_SIZE]
    notes = sum(s & _CHANNEL == NOTE_ON and v > 0 for s, v in zip(statuses, velocities, strict=True))
    return notes, len(statuses)


class _Notes:
    """A quota of notes, and what was used of it at worst."""

    def __init__(self, allowance: int, maximum: int, period: int) -> None:
        self._quota = NoteQuota(allowance, maximum, period)
        self.worst = 0.0

    def spend(self, notes: int, period: int) -> None:
        unpaid = notes - self._quota.spend(notes, period)
        self.worst = max(self.worst, 1 - (self._quota.points - unpaid) / self._quota.maximum)


class _Play(NamedTuple):
    """Music in one message: when, and how many note-ons and events."""

    moment: float
    notes: int
    events: int


def _of_music(config: Config, doings: Doings, plays: Sequence[_Play]) -> Used:
    """The quota of one player."""
    if not plays or doings.room is None:
        return {}
    settings = msgspec.convert(doings.room.settings, RoomSettings)
    allowance, maximum = doings.quota or note_rates(config.quota, settings, is_owner=False)
    refill_s = config.quota.refill_s
    notes, events = _Notes(allowance, maximum, int(plays[0].moment // refill_s)), defaultdict[int, int](int)
    for play in plays:
        period = int(play.moment // refill_s)
        notes.spend(play.notes, period)
        events[period] += play.events
    most = 2 * maximum + config.quota.other_events
    return {"notes": notes.worst, "events": max(events.values()) / most}


def _of_room(config: Config, plays: Iterable[_Play]) -> float:
    """The quota of all players of a room together."""
    ordered = sorted(plays, key=attrgetter("moment"))
    if not ordered:
        return 0.0
    quota, refill_s = config.quota, config.quota.refill_s
    notes = _Notes(quota.total_allowance, quota.total_maximum, int(ordered[0].moment // refill_s))
    for play in ordered:
        notes.spend(play.notes, int(play.moment // refill_s))
    return notes.worst


def _of_input(config: Config, doings: Doings, frames: Sequence[Frame], said: Sequence[Envelope | None]) -> Used:
    """Control messages, frames and bytes of one client."""
    limits = config.limits
    bucket, least = TokenBucket(limits.messages_per_s, limits.messages_burst, doings.opened), float("inf")
    account = _Paid()
    for frame, envelope in zip(frames, said, strict=True):
        account.pay(frame.moment, 1 / limits.frames_per_s + frame.size / limits.bytes_per_s)
        if envelope is not None and envelope.type != _NOTES:
            bucket.take(frame.moment)
            least = min(least, bucket.balance)
    used = {"input": account.worst / limits.input_burst_s}
    return used if least == float("inf") else {**used, "messages": 1 - least / limits.messages_burst}


def _of_requests(config: Config, asked: Iterable[Asked]) -> Used:
    """Requests to the API, by the account that they show, or by address."""
    limits = config.limits
    rates: dict[str, tuple[int, float]] = {
        "requests": (limits.requests_per_minute, MINUTE_S),
        "logins": (limits.auth_requests_per_minute, MINUTE_S),
        "uploads": (limits.uploads_per_minute, MINUTE_S),
        "accounts": (limits.accounts_per_hour, HOUR_S),
    }
    accounts: dict[tuple[str, str], _Paid] = defaultdict(_Paid)
    used: Used = {}
    for request in sorted(asked, key=attrgetter("sent")):
        kind = _kind_of(request.path)
        if kind is not None:
            limit, period_s = rates[kind]
            times = limits.people_per_address if request.member is None and kind != "accounts" else 1
            account = accounts[kind, request.member or request.source]
            account.pay(request.sent, period_s / (limit * times))
            used[kind] = max(used.get(kind, 0.0), account.worst / period_s)
    return used


def _kind_of(path: str) -> str | None:
    """Which rate a request is counted by; None for the page."""
    if not path.startswith("/api/"):
        return None
    if "/auth/" in path:
        return "accounts" if path.endswith("/register") else "logins"
    return "uploads" if path.endswith("/upload") else "requests"


def _of_connections(config: Config, everybody: Iterable[Doings], asked: Iterable[Asked]) -> Used:
    """Sockets, and requests that are not answered: what makes room for nobody."""
    sockets: dict[str, list[tuple[float, int]]] = defaultdict(list)
    requests: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for doings in everybody:
        closed = float("inf") if doings.closed is None else doings.closed
        sockets[customer_network(doings.source)] += [(doings.opened, 1), (closed, -1)]
    for request in asked:
        requests[customer_network(request.source)] += [(request.sent, 1), (request.answered, -1)]
    return {
        "sockets": max(map(_most_at_once, sockets.values()), default=0) / config.limits.connections_per_address,
        "HTTP": max(map(_most_at_once, requests.values()), default=0) / most_http_of_one(config.limits),
    }


def _most_at_once(changes: list[tuple[float, int]]) -> int:
    most = now = 0
    for _, change in sorted(changes):
        now += change
        most = max(most, now)
    return most


def _of_deliveries(config: Config, members: Iterable[Doings]) -> float:
    """Control messages to all members of a room."""
    account, price = _Paid(), 1 / config.hub.room_deliveries_per_s
    for moment in sorted(moment for doings in members for moment in doings.told):
        account.pay(moment, price)
    return account.worst / DELIVERY_CREDIT_S


def _of_whispers(config: Config, said: Iterable[tuple[float, Envelope]]) -> float:
    """Whispers to one member, from all."""
    accounts: dict[str, _Paid] = defaultdict(_Paid)
    for moment, envelope in sorted(said, key=lambda pair: pair[0]):
        reader = envelope.data.get("to") if envelope.type == "chat-message" else None
        if reader is not None:
            accounts[reader].pay(moment, MINUTE_S / config.limits.whispers_per_minute)
    return max((account.worst for account in accounts.values()), default=0.0) / MINUTE_S


def _of_loop(config: Config, samples: Sequence[CpuSample], acts: Sequence[tuple[float, str]]) -> float:
    """The server's processor time in a second, all of it, shared among networks by how much they did in it.

    That is more than the loop's time for them: it has what the system does, and what other threads do.
    """
    worst = 0.0
    ordered = sorted(acts)
    for before, after in pairwise(samples):
        if before.pid != after.pid:
            continue
        counts: dict[str, int] = defaultdict(int)
        for moment, network in ordered:
            if before.moment <= moment < after.moment:
                counts[network] += 1
        share = (after.seconds - before.seconds) / (after.moment - before.moment)
        if counts:
            worst = max(worst, share * max(counts.values()) / sum(counts.values()))
    return worst / (config.limits.network_share / 100)


def used(
    config: Config, everybody: Sequence[Doings], asked: Sequence[Asked], samples: Sequence[CpuSample] = ()
) -> Used:
    """What was used of each of `LIMITS` at worst, by anybody."""
    worst: Used = {}

    def note(found: Used) -> None:
        for limit, part in found.items():
            worst[limit] = max(worst.get(limit, 0.0), part)

    rooms: dict[str, list[_Play]] = defaultdict(list)
    members: dict[str, list[Doings]] = defaultdict(list)
    whispers: list[tuple[float, Envelope]] = []
    acts = [(request.sent, customer_network(request.source)) for request in asked]
    for doings in everybody:
        frames = list(doings.frames())
        said = [_said(frame) for frame in frames]
        plays = [_Play(f.moment, *_played(f, s)) for f, s in zip(frames, said, strict=True)]
        plays = [play for play in plays if play.events]
        note(_of_input(config, doings, frames, said))
        note(_of_music(config, doings, plays))
        whispers += [(f.moment, s) for f, s in zip(frames, said, strict=True) if s is not None]
        acts += [(frame.moment, customer_network(doings.source)) for frame in frames]
        if doings.room is not None:
            rooms[doings.room.name] += plays
            members[doings.room.name].append(doings)
    note(_of_requests(config, asked))
    note(_of_connections(config, everybody, asked) | {"whispers": _of_whispers(config, whispers)})
    note({"room's notes": max((_of_room(config, plays) for plays in rooms.values()), default=0.0)})
    note({"deliveries": max((_of_deliveries(config, group) for group in members.values()), default=0.0)})
    note({LOOP: _of_loop(config, samples, acts)})
    return {limit: worst.get(limit, 0.0) for limit in LIMITS}
