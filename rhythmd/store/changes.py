"""Reading a struct of changes."""

from msgspec import UNSET, Struct, structs

__all__ = ["changed_fields"]


def changed_fields(changes: Struct) -> dict[str, object]:
    """The fields that are set, by name."""
    return {name: value for name, value in structs.asdict(changes).items() if value is not UNSET}
