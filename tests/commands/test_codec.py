"""The clients' codec and the server's are written apart and read and write alike."""

from collections.abc import Callable
from types import ModuleType
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rhythm_protocol import control
from rhythm_protocol.errors import ProtocolError
from rhythm_protocol.messages import CLIENT_MESSAGES, SERVER_MESSAGES
from rhythmd.client import codec
from tests.protocol.codecs import decode_control
from tests.protocol.generated import data_of, trees
from tests.protocol.vectors import Direction, Vector, load, title

TYPES: list[tuple[Direction, str, type[Any]]] = [
    *(("client", type_, row.data) for type_, row in CLIENT_MESSAGES.items()),
    *(("server", type_, row.data) for type_, row in SERVER_MESSAGES.items()),
]
IDS = st.none() | st.integers(0, 2**53 - 1)
CONTROL = load("control")
# Of extension types msgpack knows timestamps, and makes values of them that its user has not asked for.
MALFORMED = [vector for vector in CONTROL if not vector.decodes and not vector.name.startswith("timestamp")]
FORMS = ("binary", "text")


def parse(module: ModuleType, direction: Direction, envelope: object) -> object:
    parser: Callable[[object], object] = getattr(module, f"parse_{direction}")
    return parser(envelope)


def outcome(module: ModuleType, form: str, direction: Direction, payload: bytes) -> object:
    """What one codec makes of a message: its id and its struct, or the error's code and field."""
    try:
        envelope = getattr(module, f"decode_{form}")(payload)
        return envelope.type, envelope.id, parse(module, direction, envelope)
    except ProtocolError as error:
        return error.code, error.field


@pytest.mark.parametrize(("direction", "type_", "struct"), TYPES)
@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=20, deadline=None)
@given(values=st.data(), id_=IDS)
def test_each_reads_what_the_other_writes(
    form: str, direction: Direction, type_: str, struct: type[Any], values: st.DataObject, id_: int | None
) -> None:
    data = values.draw(data_of(struct))
    written = {name: getattr(name, f"encode_{form}")(type_, data, id_) for name in (codec, control)}
    outcomes = [outcome(reader, form, direction, payload) for reader in written for payload in written.values()]
    assert outcomes[0] == (type_, id_, parse(codec, direction, codec.Envelope(type_, data, id_)))
    assert all(other == outcomes[0] for other in outcomes)


@pytest.mark.parametrize(("direction", "type_", "struct"), TYPES)
@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=20, deadline=None)
@given(values=st.data(), tree=trees)
def test_both_refuse_the_same_field(
    form: str, direction: Direction, type_: str, struct: type[Any], values: st.DataObject, tree: object
) -> None:
    assume(not (isinstance(tree, float) and tree.is_integer()))  # the server takes it for the integer
    data = values.draw(data_of(struct))
    spoilt = values.draw(st.sampled_from([*sorted(data), "unknown"]))
    payload = getattr(codec, f"encode_{form}")(type_, data | {spoilt: tree})
    assert outcome(control, form, direction, payload) == outcome(codec, form, direction, payload)


@pytest.mark.parametrize("vector", [vector for vector in CONTROL if vector.decodes], ids=title)
def test_both_read_the_golden_messages(vector: Vector) -> None:
    form = {"rhythm.v1": "binary", "rhythm.v1.json": "text"}[vector.subprotocol]
    decoded = getattr(codec, f"decode_{form}")(vector.payload)
    envelope = decode_control(vector.subprotocol, vector.payload)
    assert (envelope.type, envelope.id) == (decoded.type, decoded.id)
    assert outcome(control, form, vector.direction, vector.payload) == outcome(
        codec, form, vector.direction, vector.payload
    )


@pytest.mark.parametrize("vector", MALFORMED, ids=title)
def test_clients_refuse_what_is_malformed(vector: Vector) -> None:
    form = {"rhythm.v1": "binary", "rhythm.v1.json": "text"}[vector.subprotocol]
    assert vector.error is not None
    assert outcome(codec, form, vector.direction, vector.payload) == (vector.error.code, vector.error.field)
