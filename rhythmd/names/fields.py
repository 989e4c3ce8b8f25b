"""The fields of a message or request that are texts, cleaned: their types say so, as `extra={"text": ...}`."""

from collections.abc import Callable, Iterator
from functools import cache
from typing import Final, TypeVar

from msgspec import Struct, inspect, structs

from rhythm_protocol.errors import ErrorCode
from rhythmd.errors import Refused
from rhythmd.names.texts import clean_line, clean_lines, shows

__all__ = ["cleaned"]

StructT = TypeVar("StructT", bound=Struct)

RULES: Final[dict[object, Callable[[str], str]]] = {"line": clean_line, "lines": clean_lines}


def cleaned(given: StructT) -> StructT:
    """`given` with all its texts cleaned, those of structs in it included; itself if that changes nothing.

    Raises:
        Refused: `invalid-field`, for a text that may not be empty and shows nothing.
    """
    changes: dict[str, object] = {}
    for name, kind in _kinds(type(given)):
        before = getattr(given, name)
        after = _after(before, kind, name)
        if after != before:
            changes[name] = after
    return structs.replace(given, **changes) if changes else given


def _after(value: object, kind: inspect.Type, field: str) -> object:
    if isinstance(value, Struct):
        return cleaned(value)
    if isinstance(value, tuple):
        return tuple(_after(each, kind, field) for each in value)
    if not isinstance(value, str) or not isinstance(kind, inspect.Metadata):
        return value
    text = RULES[(kind.extra or {})["text"]](value)
    if isinstance(kind.type, inspect.StrType) and kind.type.min_length and not shows(text):
        raise Refused(ErrorCode.INVALID_FIELD, "expected something that can be seen", field)
    return text


@cache
def _kinds(type_: type[Struct]) -> tuple[tuple[str, inspect.Type], ...]:
    """The fields that are texts, or in which some are, with what their types say of them."""
    info = inspect.type_info(type_)
    assert isinstance(info, inspect.StructType)  # noqa: S101
    return tuple((field.name, kind) for field in info.fields for kind in _texts(field.type))


def _texts(type_: inspect.Type) -> Iterator[inspect.Type]:
    """What is text in a type: at most one thing, as no field is either of two texts."""
    if isinstance(type_, inspect.Metadata):
        if "text" in (type_.extra or {}):
            yield type_
        else:
            yield from _texts(type_.type)
    elif isinstance(type_, inspect.UnionType):
        for each in type_.types:
            yield from _texts(each)
    elif isinstance(type_, inspect.VarTupleType):
        yield from _texts(type_.item_type)
    elif isinstance(type_, inspect.StructType):
        yield type_
