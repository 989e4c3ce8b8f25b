"""Hypothesis strategies for what stands on the wire: MIDI events, control data, arbitrary trees."""

from collections.abc import Callable
from typing import Any

import msgspec.inspect as kinds
from hypothesis import strategies as st

from rhythm_protocol.midi import CHANNEL_PRESSURE, PROGRAM_CHANGE, MidiEvent

__all__ = ["data_of", "midi_events", "trees", "u16", "u32", "u64"]

u16 = st.integers(0, 0xFFFF)
u32 = st.integers(0, 0xFFFFFFFF)
u64 = st.integers(0, 0xFFFFFFFFFFFFFFFF)

_JSON_INTEGERS = st.integers(-(2**53), 2**53)
_CHARACTERS = st.characters(codec="utf-8")
_NUMBERS = st.floats(allow_nan=False, allow_infinity=False)

trees = st.recursive(
    st.none() | st.booleans() | _JSON_INTEGERS | _NUMBERS | st.text(_CHARACTERS),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(_CHARACTERS), inner, max_size=4),
    max_leaves=20,
)


@st.composite
def midi_events(draw: st.DrawFn) -> MidiEvent:
    """One channel message."""
    status = draw(st.integers(0x80, 0xEF))
    one_data_byte = status & 0xF0 in {PROGRAM_CHANGE, CHANNEL_PRESSURE}
    data2 = 0 if one_data_byte else draw(st.integers(0, 127))
    return MidiEvent(draw(u16), status, draw(st.integers(0, 127)), data2)


def _text(kind: kinds.StrType) -> st.SearchStrategy[Any]:
    low, high = kind.min_length or 0, kind.max_length
    if kind.pattern is None:
        return st.text(_CHARACTERS, min_size=low, max_size=high)
    matching = st.from_regex(kind.pattern, alphabet=_CHARACTERS)
    return matching.filter(lambda text: high is None or len(text) <= high)


def _integer(kind: kinds.IntType) -> st.SearchStrategy[Any]:
    low = -(2**53) if kind.ge is None else kind.ge
    return st.integers(low, 2**53 if kind.le is None else kind.le)


def _number(kind: kinds.FloatType) -> st.SearchStrategy[Any]:
    return st.floats(kind.ge, kind.le, allow_nan=False, allow_infinity=False)


def _list(kind: kinds.ListType) -> st.SearchStrategy[Any]:
    return st.lists(_of(kind.item_type), min_size=kind.min_length or 0, max_size=5)


def _struct(kind: kinds.StructType) -> st.SearchStrategy[Any]:
    required = {field.encode_name: _of(field.type) for field in kind.fields if field.required}
    optional = {field.encode_name: _of(field.type) for field in kind.fields if not field.required}
    return st.fixed_dictionaries(required, optional=optional)


_STRATEGIES: dict[type[kinds.Type], Callable[[Any], st.SearchStrategy[Any]]] = {
    kinds.NoneType: lambda _kind: st.none(),
    kinds.Metadata: lambda kind: _of(kind.type),
    kinds.BoolType: lambda _kind: st.booleans(),
    kinds.FloatType: _number,
    kinds.StrType: _text,
    kinds.IntType: _integer,
    kinds.LiteralType: lambda kind: st.sampled_from(kind.values),
    kinds.EnumType: lambda kind: st.sampled_from([member.value for member in kind.cls]),
    kinds.UnionType: lambda kind: st.one_of([_of(member) for member in kind.types]),
    kinds.ListType: _list,
    kinds.TupleType: lambda kind: st.tuples(*[_of(item) for item in kind.item_types]).map(list),
    kinds.StructType: _struct,
    kinds.DictType: lambda _kind: st.dictionaries(st.text(_CHARACTERS), trees, max_size=4),
}


def _of(kind: kinds.Type) -> st.SearchStrategy[Any]:
    return _STRATEGIES[type(kind)](kind)


def data_of(struct: type[Any]) -> st.SearchStrategy[dict[str, object]]:
    """Valid `data` of a message, as it would come off the wire: with any subset of the optional fields."""
    return _of(kinds.type_info(struct))
