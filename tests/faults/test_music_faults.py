"""Players behind a network that fails: nobody hears a stuck or doubled note, nobody misses or repeats a line."""

from typing import Final

import pytest

from bench.faults.catalogue import FAULTS
from bench.faults.stage import perform
from tests.deadline import within
from tests.server import Serve

CLIENTS: Final = 4
ROUNDS: Final = 2
HASTE: Final = 0.05
DEADLINE_S: Final = 60.0


@pytest.mark.parametrize("name", FAULTS)
@pytest.mark.parametrize("seed", [1])
async def test_music_and_talk_come_through(name: str, seed: int, serve: Serve) -> None:
    server = await serve()
    tally = await within(perform(server.port, FAULTS[name], CLIENTS, ROUNDS, seed, HASTE), DEADLINE_S)
    assert tally.is_clean, tally
    assert not tally.returns["lost"], tally
    assert not tally.refusals, tally
    assert tally.events > 0
    assert tally.lines > 0
