"""Changes of the wire: messages, their treatment, codes."""

import json
from typing import Any, Final

import msgspec

from tests.changes.tree import Tree, recipe

__all__: list[str] = []

PACKAGE: Final = "protocol/rhythm_protocol"
CLIENT: Final = f"{PACKAGE}/client_messages.py"
SERVER: Final = f"{PACKAGE}/server_messages.py"
TABLES: Final = f"{PACKAGE}/messages.py"
PAGE: Final = "protocol/PROTOCOL.md"
HUB: Final = "rhythmd/hub/hub.py"
HANDLERS: Final = "rhythmd/hub/handlers/chat.py"
VECTORS: Final = "protocol/vectors"
JSON_HEADING: Final = "### `midi-event`, `clock`, `cursor` as JSON\n"

HOLD_PROTOCOL: Final = """
from tests.changes.probes import hold
hold("tests.protocol.test_document", "tests.protocol.test_vectors", "tests.protocol.test_twins",
     "tests.protocol.test_javascript")
"""


def add_struct(tree: Tree, path: str, name: str, text: str) -> None:
    """Append a struct to a module of messages, and to what the tables import."""
    tree.after(path, "__all__ = [\n", f'    "{name}",\n')
    tree.append(path, text)
    module = path.removeprefix(f"{PACKAGE}/").removesuffix(".py")
    tree.after(TABLES, f"from rhythm_protocol.{module} import (\n", f"    {name},\n")


def add_vectors(tree: Tree, direction: str, type_: str, data: dict[str, Any]) -> None:
    """Append the same message in both subprotocols to the golden vectors."""
    path = f"{VECTORS}/control-{direction}.json"
    value = {"type": type_, "data": data}
    common = {"name": type_, "direction": direction, "canonical": True, "value": value}
    binary = common | {"subprotocol": "rhythm.v1", "hex": f"10 {msgspec.msgpack.encode(value).hex()}"}
    text = common | {"subprotocol": "rhythm.v1.json", "text": msgspec.json.encode(value).decode()}
    file = json.loads(tree.read(path))
    tree.write(path, json.dumps(file | {"vectors": [*file["vectors"], binary, text]}, ensure_ascii=False))


@recipe("a client's message")
def client_message(tree: Tree) -> None:
    add_struct(
        tree,
        CLIENT,
        "Bow",
        '\n\nclass Bow(Message, frozen=True):\n    """How deep the sender bows."""\n\n    depth: Byte\n',
    )
    tree.after(TABLES, '    "record-last": ClientMessage(RecordLast),\n', '    "bow": ClientMessage(Bow),\n')
    tree.append(HANDLERS, '\n\ndef bow(session, message):\n    notice(session, f"you bow, {message.depth} deep")\n')
    tree.replace(HUB, "handlers.chat import typing", "handlers.chat import bow, typing")
    tree.after(HUB, '            "metronome": metronome,\n', '            "bow": bow,\n')
    tree.after(PAGE, "| `record-last` | members | yes | |\n", "| `bow` | members | yes | |\n")
    tree.before(PAGE, JSON_HEADING, "### `bow`\n\n`depth` is an integer, 0 to 255.\n\n")
    add_vectors(tree, "client", "bow", {"depth": 3})
    tree.check(
        HOLD_PROTOCOL,
        """
        from tests.changes.probes import members
        from tests.hub.manual import ManualHub
        for peer in members(ManualHub()):
            peer.say("bow", {"depth": 3}, 7)
            line, answer = peer.take()
            assert line.content == "you bow, 3 deep" and answer.error is None, (line, answer)
            peer.say("bow", {"depth": 256}, 8)
            assert peer.take()[0].error.field == "depth"
    """,
    )


@recipe("a server's message")
def server_message(tree: Tree) -> None:
    text = '\n\nclass Applause(Message, frozen=True):\n    """How loud the room claps."""\n\n    loudness: Byte\n'
    add_struct(tree, SERVER, "Applause", text)
    tree.after(
        TABLES, '    "recording-ready": ServerMessage(RecordingReady),\n', '    "applause": ServerMessage(Applause),\n'
    )
    tree.after(PAGE, "| `recording-ready` | yes | no | |\n", "| `applause` | yes | no | |\n")
    tree.before(PAGE, "### Values that several", "### `applause`\n\n`loudness` is an integer, 0 to 255.\n\n")
    add_vectors(tree, "server", "applause", {"loudness": 9})
    tree.check(
        HOLD_PROTOCOL,
        """
        from rhythm_protocol.server_messages import Applause
        from tests.changes.probes import members
        from tests.hub.manual import ManualHub
        manual = ManualHub()
        clients = members(manual)
        counts = [peer.delivery.log.count for peer in clients]
        manual.hub.registry.lobby().broadcast("applause", Applause(9))
        assert [peer.take() for peer in clients] == [[Applause(9)], [Applause(9)]]
        assert [peer.delivery.log.count for peer in clients] == [count + 1 for count in counts]
    """,
    )


@recipe("how a message is treated")
def treatment(tree: Tree) -> None:
    tree.replace(TABLES, "ServerMessage(UserTyping)", "ServerMessage(UserTyping, is_counted=False)")
    tree.replace(PAGE, "| `typing` | yes | no | |\n| `quota`", "| `typing` | no | no | |\n| `quota`")
    tree.replace(PAGE, "`welcome`, `notes`, `midi-event`,\n", "`welcome`, `notes`, `typing`, `midi-event`,\n")
    tree.replace(f"{PACKAGE}/rhythm-session.js", 'new Set(["welcome", ', 'new Set(["welcome", "typing", ')
    tree.check(
        HOLD_PROTOCOL,
        """
        from rhythm_protocol.messages import UserTyping
        from tests.changes.probes import members
        from tests.hub.manual import ManualHub
        writer, reader = members(ManualHub())
        writer.say("user-update", {"name": "Clara"})
        count = reader.delivery.log.count
        reader.take()
        writer.say("typing", {"typing": True})
        assert isinstance(*reader.take(), UserTyping) and reader.delivery.log.count == count
    """,
    )


PULSES: Final = '''

class Pulses(Outbound):
    """One member's pulse."""

    row = SERVER_MESSAGES["pulse"]

    def __init__(self, slot, value):
        super().__init__()
        self._slot, self._value = slot, value

    def binary(self):
        return encode_pulse_of(self._slot, self._value)

    def text(self):
        return encode_text("pulse", PulseOf(self._slot, self._value))
'''
LAYOUT: Final = '''

class PulseMove(NamedTuple):
    """Client to server: a pulse."""

    value: int


class PulseAt(NamedTuple):
    """Server to client: a member's pulse."""

    slot: int
    value: int


_PULSE = struct.Struct("<BB")
_PULSE_OF = struct.Struct("<BHB")


def encode_pulse(value):
    return _PULSE.pack(OP_PULSE, value)


def decode_pulse(payload):
    return PulseMove._make(_unpack(_PULSE, payload, OP_PULSE))


def encode_pulse_of(slot, value):
    return _PULSE_OF.pack(OP_PULSE, slot, value)


def decode_pulse_of(payload):
    return PulseAt._make(_unpack(_PULSE_OF, payload, OP_PULSE))
'''
TWIN_HANDLERS: Final = '''

def pulse(session, message):
    """Let the room know a member's pulse."""
    room, member = session.require_place()
    room.fanout.broadcast(Pulses(member.slot, message.value), {member.delivery})


def pulse_binary(session, payload):
    """The same in binary."""
    pulse(session, decode_pulse(payload))
'''
TWIN_PAIRS: Final = """
TWINS += [
    Twins("client", "pulse", binary.PulseMove._fields, CLIENT_MESSAGES["pulse"].data.__struct_fields__, {},
          lambda value: binary.decode_pulse(binary.encode_pulse(value)), lambda numbers: numbers),
    Twins("server", "pulse", binary.PulseAt._fields, SERVER_MESSAGES["pulse"].data.__struct_fields__, {},
          lambda **numbers: binary.decode_pulse_of(binary.encode_pulse_of(**numbers)), lambda numbers: numbers),
]
"""
DECODERS: Final = """
FAST_DECODERS["pulse", "client"] = binary.decode_pulse
FAST_DECODERS["pulse", "server"] = binary.decode_pulse_of
"""


def add_pulse(tree: Tree) -> None:
    """The layout, the structs, and one row in each table."""
    binary = f"{PACKAGE}/binary.py"
    tree.after(binary, "__all__ = [\n", '    "OP_PULSE",\n')
    tree.after(binary, "OP_CURSOR: Final = 0x03\n", "OP_PULSE: Final = 0x04\n")
    tree.append(binary, LAYOUT)
    add_struct(tree, CLIENT, "Pulse", '\n\nclass Pulse(Message, frozen=True):\n    """A pulse."""\n\n    value: Byte\n')
    text = '\n\nclass PulseOf(Message, frozen=True):\n    """A member\'s pulse."""\n\n    slot: U16\n    value: Byte\n'
    add_struct(tree, SERVER, "PulseOf", text)
    tree.replace(TABLES, "import OP_CLOCK, OP_CURSOR, OP_MIDI", "import OP_CLOCK, OP_CURSOR, OP_MIDI, OP_PULSE")
    tree.after(
        TABLES, '"record-last": ClientMessage(RecordLast),\n', '    "pulse": ClientMessage(Pulse, opcode=OP_PULSE),\n'
    )
    row = '    "pulse": ServerMessage(PulseOf, is_counted=False, opcode=OP_PULSE),\n'
    tree.after(TABLES, '"recording-ready": ServerMessage(RecordingReady),\n', row)


def document_pulse(tree: Tree) -> None:
    """The page, the vectors, JavaScript, and the tests that hold both forms together."""
    tree.after(PAGE, "| `record-last` | members | yes | |\n", "| `pulse` | members | yes | `0x04` |\n")
    tree.after(PAGE, "| `recording-ready` | yes | no | |\n", "| `pulse` | no | no | `0x04` |\n")
    tree.before(PAGE, JSON_HEADING, "### `pulse`\n\n`value` is an integer.\n\n")
    tree.before(PAGE, "### Values that several", "### `pulse`\n\nA `slot` and a `value`.\n\n")
    tree.replace(PAGE, "`welcome`, `notes`, `midi-event`,\n", "`welcome`, `notes`, `pulse`, `midi-event`,\n")
    add_vectors(tree, "client", "pulse", {"value": 7})
    add_vectors(tree, "server", "pulse", {"slot": 2, "value": 7})
    tree.replace(f"{PACKAGE}/rhythm-session.js", 'new Set(["welcome", ', 'new Set(["welcome", "pulse", ')
    script = f"{PACKAGE}/rhythm-protocol.js"
    tree.after(script, "export const OP_CURSOR = 0x03;\n", "export const OP_PULSE = 0x04;\n")
    tree.append(script, "\nexport const encodePulse = ({ value }) => Uint8Array.from([OP_PULSE, value]);\n")
    tests = "tests/protocol"
    tree.before(f"{tests}/test_twins.py", "EDGES = [", TWIN_PAIRS)
    tree.replace(
        f"{tests}/test_twins.py", "        binary.OP_CURSOR,\n", "        binary.OP_CURSOR,\n        binary.OP_PULSE,\n"
    )
    tree.append(f"{tests}/codecs.py", DECODERS)


@recipe("a message with a binary twin")
def binary_twin(tree: Tree) -> None:
    add_pulse(tree)
    outbound = "rhythmd/hub/sending/outbound.py"
    tree.append(outbound, PULSES)
    tree.after(outbound, "from rhythm_protocol.binary import ", "encode_pulse_of, ")
    tree.after(outbound, "from rhythm_protocol.control import as_binary, as_text, encode_binary, encode_text\n",
               "from rhythm_protocol.server_messages import PulseOf\n")  # fmt: skip
    tree.before(HANDLERS, "from rhythm_protocol.errors", "from rhythm_protocol.binary import decode_pulse\n")
    tree.before(HANDLERS, "from rhythmd.hub.sessions.session", "from rhythmd.hub.sending.outbound import Pulses\n")
    tree.append(HANDLERS, TWIN_HANDLERS)
    tree.replace(HUB, "import OP_CLOCK, OP_CURSOR, OP_MIDI", "import OP_CLOCK, OP_CURSOR, OP_MIDI, OP_PULSE")
    tree.replace(HUB, "handlers.chat import typing", "handlers.chat import pulse, pulse_binary, typing")
    tree.after(HUB, '            "metronome": metronome,\n', '            "pulse": pulse,\n')
    tree.after(HUB, "OP_CURSOR: cursor_binary", ", OP_PULSE: pulse_binary")
    document_pulse(tree)
    tree.check(
        HOLD_PROTOCOL,
        """
        from rhythm_protocol.binary import OP_PULSE
        from tests.changes.probes import members
        from tests.hub.manual import ManualHub, payloads
        manual = ManualHub()
        binary, text = members(manual)
        heard = {binary: [], text: []}
        for peer in heard:
            peer._hear = lambda frames, peer=peer: heard[peer].extend(payloads(frames))
        manual.hub.on_binary(binary.session, bytes((OP_PULSE, 7)))
        text.say("pulse", {"value": 8})
        assert heard[binary] == [bytes((OP_PULSE, 2, 0, 8))], heard
        assert heard[text] == [b'{"type":"pulse","data":{"slot":1,"value":7}}'], heard
    """,
    )


@recipe("an error code")
def error_code(tree: Tree) -> None:
    row = '    OUT_OF_TUNE = "out-of-tune", 409, Side.BOTH, "the piano has to be tuned first"\n'
    tree.before(f"{PACKAGE}/errors.py", '    UNKNOWN_COMMAND = "unknown-command"', row)
    tree.before(PAGE, "| `unknown-command` |", "| `out-of-tune` | the piano has to be tuned first | 409 |\n")
    tree.check(
        HOLD_PROTOCOL,
        """
        from rhythmd.rest.serving.openapi import document
        assert "out-of-tune" in str(document(())["components"]["schemas"]["ErrorCode"])
    """,
    )


@recipe("a way to be closed")
def close_code(tree: Tree) -> None:
    path = f"{PACKAGE}/close.py"
    tree.after(path, "__all__ = [\n", '    "LID_SHUT",\n')
    tree.before(path, "\nCLOSE_RULES: Final", 'LID_SHUT: Final = Close(4007, "lid-shut", (1.0, 2.0))\n')
    tree.replace(path, "        TAKEN_OVER,\n    )", "        TAKEN_OVER,\n        LID_SHUT,\n    )")
    row = '  4007: { name: "lid-shut", reconnectAfter: [1, 2] },\n'
    tree.replace(f"{PACKAGE}/rhythm-session.js", "};\n\nconst LONGEST_WAIT_S", f"{row}}};\n\nconst LONGEST_WAIT_S")
    known = "| 4006 | `taken-over` | no | another socket resumed this session |\n"
    tree.after(PAGE, known, "| 4007 | `lid-shut` | 1 to 2 | somebody shut the lid |\n")
    tree.check(
        HOLD_PROTOCOL,
        """
        from rhythm_protocol.close import LID_SHUT
        from tests.hub.manual import ManualHub
        peer = ManualHub().connect()
        peer.session.close(LID_SHUT)
        assert peer.closed.code == 4007
    """,
    )
