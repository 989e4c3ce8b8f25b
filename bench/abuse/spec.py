"""What the processes of a run are told and what they report, as JSON between them. Moments are monotonic seconds."""

from msgspec import Struct, field

from bench.statistics import Summary

__all__ = ["AttackResult", "AttackSpec", "Phase", "PhaseResult", "PlayersResult", "PlayersSpec", "Timing"]


class Phase(Struct, frozen=True):
    """A part of a run: its name, and the seconds after the start at which it begins and ends."""

    name: str
    begin: float
    end: float


class PlayersSpec(Struct, frozen=True):
    """Two players in a room of their own, as if from `sources`, `rate` events/s each, and a visitor with an errand.

    With `tls` all of them speak it.
    """

    host: str
    port: int
    sources: list[str]
    errand: str
    rate: float
    phases: list[Phase]
    tls: bool = False
    seed: int = 1


class PhaseResult(Struct, frozen=True):
    """What the players and the visitor felt in a phase.

    Args:
        notes: from the moment a note was due until the other player had it, of those due in the phase.
        clock: the same for a question for the time and its answer.
        lost: notes and answers that never came.
        visit: from connecting until the visitor had what it came for, of the visits that began in the phase.
        turned_away: why visits failed, and how often.
    """

    notes: Summary
    clock: Summary
    lost: int
    visit: Summary
    turned_away: dict[str, int]


class PlayersResult(Struct, frozen=True):
    """All phases, by name; `lateness` of the players' own sending, and what the server sent them of errors."""

    phases: dict[str, PhaseResult]
    lateness: Summary
    errors: dict[str, int]


class AttackSpec(Struct, frozen=True):
    """Which attack, and from how many addresses it comes at the same time."""

    name: str
    host: str
    port: int
    attackers: int
    seed: int = 1


class Timing(Struct, frozen=True):
    """When an attack begins and ends."""

    begin: float
    end: float


class AttackResult(Struct, frozen=True):
    """What happened to the attackers.

    Args:
        opened: connections.
        sent: bytes.
        received: bytes.
        fates: errors by code, closes by code, answers by status, and how often each came.
        cpu: the share of a core that the attackers' process used.
    """

    opened: int
    sent: int
    received: int
    fates: dict[str, int] = field(default_factory=dict)
    cpu: float = 0.0
