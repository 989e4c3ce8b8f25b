"""PROTOCOL.md says what the package does: its tables, its examples and the bytes of its session."""

import re
from collections import Counter

import pytest

from rhythm_protocol.binary import OP_CONTROL
from rhythm_protocol.close import CLOSE_RULES
from rhythm_protocol.control import decode_binary, decode_text
from rhythm_protocol.errors import ErrorCode, Side
from rhythm_protocol.messages import (
    CLIENT_MESSAGES,
    SERVER_MESSAGES,
    ClientMessage,
    JoinAck,
    Limits,
    Message,
    Metronome,
    RecordingInfo,
    ResumeAck,
    Right,
    RoomInfo,
    RoomSettings,
    RoomSettingsUpdate,
    ServerMessage,
    User,
)
from rhythm_protocol.resume import UNCOUNTED
from tests.protocol.codecs import FAST_DECODERS, check_control
from tests.protocol.document import TEXT, section, table
from tests.protocol.vectors import Direction, FastLayout

SESSION = re.findall(r"^    (->|<-) ([0-9a-f ]+)$", TEXT, re.MULTILINE)
LAYOUTS: dict[int, FastLayout] = {1: "midi", 2: "clock", 3: "cursor"}


def examples(title: str) -> list[str]:
    return [line for line in re.findall(r'`(\{"type": .*\})`', section(title)) if "…" not in line]


EXAMPLES: list[tuple[Direction, str]] = [
    *(("client", example) for example in examples("Messages of a client")),
    *(("server", example) for example in examples("Messages of the server")),
]


def anchor(heading: str) -> str:
    """What a page's renderer makes of a heading, but for the number of one that stands there twice."""
    return re.sub(r"[^a-z0-9 _-]", "", heading.lower()).replace(" ", "-")


def over_rest(code: ErrorCode) -> str:
    """The last column of the table of errors."""
    if Side.REST in code.side:
        return str(code.status)
    return f"{code.status} `{code.counterpart}`" if code.counterpart else ""


def test_error_table_is_the_packages() -> None:
    rows = re.findall(r"^\| `([a-z-]+)` \| ([^|]+) \| ?([^|]*?) ?\|$", section("Errors"), re.MULTILINE)
    sent = [code for code in ErrorCode if Side.SOCKET in code.side]
    assert rows == [(code.value, code.meaning, over_rest(code)) for code in sent]


def test_reasons_to_refuse_a_join_are_codes_of_the_socket() -> None:
    table = section("Joining a room").partition("A join that is refused")[2]
    listed = set(re.findall(r"^\| `([a-z-]+)` \|", table, re.MULTILINE))
    assert len(listed) > 10
    assert listed <= {code for code in ErrorCode if Side.SOCKET in code.side}


def test_close_table_is_the_packages() -> None:
    rows = re.findall(r"^\| (\d+) \| `([a-z-]+)` \| ([^|]+) \|", section("Closing and reconnecting"), re.MULTILINE)
    waits = {rule.code: rule.reconnect_after for rule in CLOSE_RULES.values()}
    expected = [
        (
            str(rule.code),
            rule.name,
            "no" if (wait := waits[rule.code]) is None else f"{wait[0]:g} to {wait[1]:g}",
        )
        for rule in CLOSE_RULES.values()
    ]
    assert rows == expected


@pytest.mark.parametrize(("title", "table"), [("a client", CLIENT_MESSAGES), ("the server", SERVER_MESSAGES)])
def test_every_message_and_field_is_described(
    title: str, table: dict[str, ClientMessage] | dict[str, ServerMessage]
) -> None:
    named = set(re.findall(r"`([a-z_-]+)`", section(f"Messages of {title}")))
    assert set(table) <= named
    for row in table.values():
        assert set(getattr(row.data, "__struct_fields__", ())) <= named


@pytest.mark.parametrize(
    ("title", "struct"),
    [
        ("Joining a room", JoinAck),
        ("Messages of a client", RoomSettingsUpdate),
        ("Messages of the server", User),
        ("Messages of the server", RoomInfo),
        ("Messages of the server", RoomSettings),
        ("Messages of the server", Limits),
        ("Messages of the server", Metronome),
        ("Messages of the server", RecordingInfo),
        ("Resuming", ResumeAck),
    ],
)
def test_every_field_of_a_value_is_described(title: str, struct: type[Message]) -> None:
    described = section(title) + section("Messages of the server")
    assert set(struct.__struct_fields__) <= set(re.findall(r"`([a-z_]+)`", described))


WHO = {
    Right.ANYBODY: "everybody",
    Right.MEMBER: "members",
    Right.MODERATOR: "owner, moderators",
    Right.OWNER: "owner",
}


def yes(is_so: bool) -> str:
    return "yes" if is_so else "no"


def twin(opcode: int | None) -> str:
    return "" if opcode is None else f"{opcode:#04x}"


def test_table_of_a_clients_messages_is_the_packages() -> None:
    rows = table(section("Messages of a client"), "type", "who may send it", "rated", "binary twin")
    assert rows == [
        [type_, WHO[row.right], yes(row.is_rated), twin(row.opcode)] for type_, row in CLIENT_MESSAGES.items()
    ]


def test_table_of_the_servers_messages_is_the_packages() -> None:
    rows = table(section("Messages of the server"), "type", "counted", "shed", "binary twin")
    assert rows == [
        [type_, yes(row.is_counted), yes(row.is_shed), twin(row.opcode)] for type_, row in SERVER_MESSAGES.items()
    ]


def test_what_is_said_not_to_be_rated_is_not() -> None:
    rate = section("Quotas").partition("**Control messages.**")[2]
    exempt = re.findall(r"((?:`[a-z-]+`(?:,|\sand)?\s)+)are not rated", rate)[0]
    assert re.findall(r"`([a-z-]+)`", exempt) == [type_ for type_, row in CLIENT_MESSAGES.items() if not row.is_rated]


def test_every_uncounted_type_is_named() -> None:
    counting = section("Resuming").partition("**Count.**")[2].partition("\n\n")[0]
    assert set(re.findall(r"`([a-z-]+)`", counting)) - {"ack", "resume"} == UNCOUNTED


@pytest.mark.parametrize(("direction", "example"), EXAMPLES)
def test_example_is_accepted(direction: Direction, example: str) -> None:
    check_control(direction, decode_text(example))


def test_every_link_leads_to_a_heading() -> None:
    anchors: Counter[str] = Counter()
    known: set[str] = set()
    for heading in re.findall(r"^#+ (.+)$", TEXT, re.MULTILINE):
        name = anchor(heading)
        known.add(f"{name}-{anchors[name]}" if anchors[name] else name)
        anchors[name] += 1
    assert set(re.findall(r"\]\(#([^)]+)\)", TEXT)) <= known


@pytest.mark.parametrize(("arrow", "line"), SESSION)
def test_session_bytes_decode(arrow: str, line: str) -> None:
    payload = bytes.fromhex(line)
    direction: Direction = "client" if arrow == "->" else "server"
    if payload[0] == OP_CONTROL:
        check_control(direction, decode_binary(payload))
    else:
        assert FAST_DECODERS[LAYOUTS[payload[0]], direction](payload)


def test_session_and_examples_are_found() -> None:
    assert len(SESSION) >= 9
    assert len(EXAMPLES) >= 17
