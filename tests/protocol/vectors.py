"""The golden vectors of `protocol/vectors/`, typed."""

from pathlib import Path
from typing import Literal

import msgspec
from msgspec import UNSET, UnsetType

__all__ = ["Direction", "FastLayout", "Layout", "Refusal", "Run", "Subprotocol", "Vector", "load", "load_runs", "title"]

VECTORS = Path(__file__).parents[2] / "protocol" / "vectors"

Direction = Literal["client", "server"]
Subprotocol = Literal["rhythm.v1", "rhythm.v1.json"]
FastLayout = Literal["midi", "clock", "cursor"]
Layout = FastLayout | Literal["control"]


class Refusal(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    code: str
    field: str | None = None


class Vector(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One golden message; PROTOCOL.md's section "Vectors" says what each field means."""

    name: str
    direction: Direction
    subprotocol: Subprotocol
    canonical: bool = False
    hex: str | None = None
    text: str | None = None
    value: object = UNSET
    message: object = UNSET
    error: Refusal | None = None

    @property
    def payload(self) -> bytes:
        """The WebSocket message's payload; of a text message its UTF-8."""
        if self.text is not None:
            return self.text.encode()
        return bytes.fromhex(self.hex or "")

    @property
    def decodes(self) -> bool:
        return not isinstance(self.value, UnsetType)


class Run(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Steps that a client's bookkeeping is put through: the name of each first, then its arguments."""

    name: str
    steps: list[list[object]]


class _Runs(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    about: str
    runs: list[Run]


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    about: str
    layout: Layout
    vectors: list[Vector]


def load(layout: Layout) -> list[Vector]:
    """Every vector of one layout, from all files that hold some."""
    files = [msgspec.json.decode(path.read_bytes(), type=_File) for path in sorted(VECTORS.glob("*.json"))]
    return [vector for file in files if file.layout == layout for vector in file.vectors]


def load_runs(name: str) -> list[Run]:
    """Every run of one file of `steps/`."""
    return msgspec.json.decode((VECTORS / "steps" / f"{name}.json").read_bytes(), type=_Runs).runs


def title(vector: Vector) -> str:
    """What a failing test is called."""
    return f"{vector.direction}-{vector.subprotocol}-{vector.name}"
