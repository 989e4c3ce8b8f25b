"""All attacks, by name; each family of them is one module with rows of its own."""

from typing import Final

from bench.abuse import (
    changes,
    commons,
    decoding,
    encryption,
    files,
    frames,
    holding,
    idling,
    logins,
    memory,
    mutes,
    noise,
    performances,
    requests,
    rooms,
)
from bench.abuse.attacker import Attack, Attacker

__all__ = ["ATTACKS", "NOTHING"]

NOTHING: Final = "nothing"


async def _nothing(_attacker: Attacker) -> None:
    """The control: what the machine alone does to the players."""


ATTACKS: Final[dict[str, Attack]] = {
    NOTHING: Attack("nobody attacks: what the machine alone does to the players", _nothing),
    **decoding.ATTACKS,
    **frames.ATTACKS,
    **rooms.ATTACKS,
    **changes.ATTACKS,
    **commons.ATTACKS,
    **logins.ATTACKS,
    **memory.ATTACKS,
    **holding.ATTACKS,
    **mutes.ATTACKS,
    **idling.ATTACKS,
    **encryption.ATTACKS,
    **requests.ATTACKS,
    **files.ATTACKS,
    **performances.ATTACKS,
    **noise.ATTACKS,
}
