"""What it costs to read and write control messages: the server's codec beside the clients' one, in one run.

Both read and write each message in turn, several times over. A ratio is the median of the rounds' ratios, each within
its round: what else the machine does meets both alike.
"""

import argparse
from collections.abc import Callable
from statistics import median
from time import perf_counter
from typing import Any, Final

from msgspec import Struct

from bench.options import Cores, conditions
from bench.report import Report, Table, Target
from rhythm_protocol import control
from rhythm_protocol.messages import (
    ChatKind,
    ChatLine,
    ChatMessage,
    Error,
    JoinAck,
    JoinRoom,
    Message,
    MidiInput,
    Notes,
    QuotaState,
    RoomInfo,
    RoomSettings,
    SlotState,
    Typing,
    User,
    UserJoined,
    UserUpdate,
)
from rhythmd.client import codec

__all__ = ["HELP", "Cost", "add_arguments", "compare", "run", "target"]

HELP: Final = "reading and writing control messages, the server's codec beside the clients'"
_BOUND: Final = 1.0
_NOTE_ON: Final = 0x90

_CLARA: Final = User("u2", "Clara", "#8ecae6", slot=2)
_MEMBERS: Final = [User(f"u{number}", f"Guest {number}", "#8ecae6", slot=number) for number in range(1, 17)]
_CHORD: Final = [SlotState(slot, [(_NOTE_ON, key, 100) for key in (60, 64, 67)]) for slot in range(1, 9)]
_ROOM: Final = RoomInfo("r1", "Salon", RoomSettings(), has_password=False, players=16, owner="u2")
_LINE: Final = ChatLine(17, 1_750_000_000_000, ChatKind.TEXT, "Good evening, everybody", "u2", "Clara", "#8ecae6")
_JOINED: Final = JoinAck(3, _ROOM, _MEMBERS, _CHORD, QuotaState(400, 400, 1_200), [_LINE] * 20)
_EVENTS: Final = [(offset, _NOTE_ON, 60, 100) for offset in range(10)]

_READ: Final[dict[str, tuple[str, Message | dict[str, object]]]] = {
    "typing": ("typing", Typing(True)),
    "chat-message": ("chat-message", ChatMessage("Good evening, everybody")),
    "user-update": ("user-update", UserUpdate(name="Clara", colour="#8ecae6")),
    "join-room": ("join-room", JoinRoom("Salon", create=True, settings=RoomSettings(max_players=4))),
    "midi-event of 10 events": ("midi-event", MidiInput(10_000, _EVENTS)),
    "chat-message, much unknown": ("chat-message", {"content": "Good evening", "more": [60, 64, 67] * 1_000}),
}
_WRITTEN: Final[dict[str, tuple[str, Message | dict[str, object]]]] = {
    "ack": ("ack", {}),
    "error": ("error", Error("room-full", "all 16 seats are taken")),
    "chat-message": ("chat-message", _LINE),
    "user-joined": ("user-joined", UserJoined(_CLARA)),
    "notes of 8 players": ("notes", Notes(_CHORD)),
    "ack of a join, 16 members": ("ack", _JOINED),
}


class Cost(Struct, frozen=True):
    """What one message costs.

    Args:
        what: the message and its encoding.
        size: in bytes.
        server_us: of the server's codec, the fastest round.
        client_us: of the clients' codec, the fastest round.
        ratio: the server's share of the clients' time, the median of the rounds.
    """

    what: str
    size: int
    server_us: float
    client_us: float
    ratio: float

    @property
    def row(self) -> list[str]:
        times = [f"{self.server_us:.2f} us", f"{self.client_us:.2f} us", f"{self.ratio:.2f}"]
        return [self.what, f"{self.size:,}", *times]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rounds", type=int, default=15, help="times that both are measured (%(default)s)")
    parser.add_argument("--repeats", type=int, default=2_000, help="messages of each kind in a round (%(default)s)")


def _seconds(do: Callable[[], object], repeats: int) -> float:
    began = perf_counter()
    for _ in range(repeats):
        do()
    return perf_counter() - began


def compare(
    what: str, size: int, server: Callable[[], object], client: Callable[[], object], arguments: argparse.Namespace
) -> Cost:
    """Measure both in turn, `arguments.rounds` times."""
    repeats: int = arguments.repeats
    rounds = [(_seconds(server, repeats), _seconds(client, repeats)) for _ in range(arguments.rounds)]
    return Cost(
        what,
        size,
        server_us=min(one for one, _ in rounds) / repeats * 1e6,
        client_us=min(other for _, other in rounds) / repeats * 1e6,
        ratio=median(one / other for one, other in rounds),
    )


def _reading(name: str, type_: str, data: Any, arguments: argparse.Namespace) -> list[Cost]:
    binary, text = codec.encode_binary(type_, data, 7), codec.encode_text(type_, data, 7).decode()
    return [
        compare(
            f"{name}, msgpack",
            len(binary),
            lambda: control.parse_client(control.decode_binary(binary)),
            lambda: codec.parse_client(codec.decode_binary(binary)),
            arguments,
        ),
        compare(
            f"{name}, JSON",
            len(text),
            lambda: control.parse_client(control.decode_text(text)),
            lambda: codec.parse_client(codec.decode_text(text)),
            arguments,
        ),
    ]


def _writing(name: str, type_: str, data: Any, arguments: argparse.Namespace) -> list[Cost]:
    return [
        compare(
            f"{name}, msgpack",
            len(control.encode_binary(type_, data)),
            lambda: control.encode_binary(type_, data),
            lambda: codec.encode_binary(type_, data),
            arguments,
        ),
        compare(
            f"{name}, JSON",
            len(control.encode_text(type_, data)),
            lambda: control.encode_text(type_, data),
            lambda: codec.encode_text(type_, data),
            arguments,
        ),
    ]


def _table(title: str, costs: list[Cost]) -> Table:
    columns = ["message", "bytes", "msgspec (server)", "msgpack, orjson (client)", "ratio"]
    return Table(title, columns, [cost.row for cost in costs])


def target(what: str, costs: list[Cost]) -> Target:
    typical = median(cost.ratio for cost in costs)
    return Target(what, f"at most {_BOUND:g} of the other's time", f"{typical:.2f}", typical <= _BOUND)


def run(arguments: argparse.Namespace) -> Report:
    reading = [cost for name, message in _READ.items() for cost in _reading(name, *message, arguments)]
    writing = [cost for name, message in _WRITTEN.items() for cost in _writing(name, *message, arguments)]
    read, written = (1 / median(cost.ratio for cost in costs) for costs in (reading, writing))
    return Report(
        command="codec",
        title=f"Control messages: the server reads {read:.1f} and writes {written:.1f} times as fast as its clients",
        conditions=conditions(Cores(None, None), rounds=arguments.rounds, repeats=arguments.repeats),
        tables=[_table("Reading, up to the checked struct", reading), _table("Writing a struct", writing)],
        targets=[target("reading, the median message", reading), target("writing, the median message", writing)],
        remarks=[
            "The server's codec is rhythm_protocol.control: msgspec makes the struct from the bytes in one typed pass. "
            "The clients' one is rhythmd.client.codec: msgpack or orjson makes a tree of values, and that is checked. "
            "Both take the same messages; times are those of the fastest round, ratios the median of all rounds.",
        ],
    )
