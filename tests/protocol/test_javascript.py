"""The JavaScript modules say what the package says, as far as their text shows; `tests/e2e` runs them in a browser."""

import json
import re
from pathlib import Path

import pytest

import rhythm_protocol
from rhythm_protocol import binary, control, midi
from rhythm_protocol.close import CLOSE_RULES
from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import CLIENT_MESSAGES, SERVER_MESSAGES, Limits, RoomSettings
from rhythm_protocol.resume import UNCOUNTED

FOLDER = Path(rhythm_protocol.__file__).parent
PAGE = Path(__file__).parents[2] / "rhythmd" / "web"
PROTOCOL = (FOLDER / "rhythm-protocol.js").read_text(encoding="utf-8")
SESSION = (FOLDER / "rhythm-session.js").read_text(encoding="utf-8")
MODULES = "\n".join(path.read_text(encoding="utf-8") for path in sorted(FOLDER.glob("*.js")))
SCRIPTS = "\n".join(path.read_text(encoding="utf-8") for path in sorted(PAGE.glob("*.js")))

CONSTANTS = {
    "VERSION": rhythm_protocol.VERSION,
    "SUBPROTOCOL_BINARY": control.SUBPROTOCOL_BINARY,
    "SUBPROTOCOL_JSON": control.SUBPROTOCOL_JSON,
    "OP_MIDI": binary.OP_MIDI,
    "OP_CLOCK": binary.OP_CLOCK,
    "OP_CURSOR": binary.OP_CURSOR,
    "OP_CONTROL": binary.OP_CONTROL,
    "EVENT_SIZE": midi.EVENT_SIZE,
    "MAX_BLOCK_EVENTS": midi.MAX_BLOCK_EVENTS,
}


def names(pattern: str, text: str) -> set[str]:
    """What the one group of `pattern` finds; it must find something, or the pattern is out of date."""
    found = set(re.findall(pattern, text))
    assert found, f"nothing matches {pattern}"
    return found


@pytest.mark.parametrize("name", CONSTANTS)
def test_constant_has_the_same_value(name: str) -> None:
    (value,) = names(rf"\bconst {name} = ([^;]+);", PROTOCOL)
    assert (value.strip('"') if value.startswith('"') else int(value, 0)) == CONSTANTS[name]


def test_same_messages_are_not_counted() -> None:
    (types,) = names(r"const UNCOUNTED = new Set\((\[[^\]]+\])\)", SESSION)
    assert set(json.loads(types)) == UNCOUNTED


def test_close_table_is_the_same() -> None:
    rows = re.findall(r'^  (\d+): \{ name: "([a-z-]+)", reconnectAfter: (.+) \},$', SESSION, re.MULTILINE)
    assert [(int(code), name, json.loads(wait)) for code, name, wait in rows] == [
        (rule.code, rule.name, rule.reconnect_after and [*rule.reconnect_after]) for rule in CLOSE_RULES.values()
    ]


def test_errors_have_codes_of_the_table() -> None:
    default = names(r'constructor\(message, code = "([a-z-]+)"', MODULES)
    assert default | names(r'ProtocolError\([^;]*?, "([a-z-]+)"', MODULES) <= set(ErrorCode)


def test_page_sends_messages_that_there_are() -> None:
    assert names(r'\b(?:ask|request|tell)\("([a-z-]+)"', SCRIPTS) <= set(CLIENT_MESSAGES)


def test_page_awaits_messages_that_there_are() -> None:
    assert names(r'(?m)^  "([a-z]+(?:-[a-z]+)+)": \(', SCRIPTS) <= set(SERVER_MESSAGES)


def test_page_knows_settings_and_limits_that_there_are() -> None:
    assert names(r"\bsettings(?:\.|: \{ )([a-z_]+)", SCRIPTS) <= set(RoomSettings.__struct_fields__)
    assert names(r"\blimits\.([a-z_]+)", SCRIPTS) <= set(Limits.__struct_fields__)
