"""Recordings while the database is away."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import RecordingReady, RecordingState
from tests.client import Connect, note_off, note_on
from tests.conftest import ErrorLog
from tests.server import Serve
from tests.services import Mongod, running_mongod


@pytest.fixture
def mongod(tmp_path: Path) -> Iterator[Mongod]:
    with running_mongod(tmp_path) as running:
        yield running


async def test_record_while_the_database_is_away_is_refused(
    serve: Serve, connect: Connect, mongod: Mongod, errors_logged: ErrorLog
) -> None:
    """The room plays on, and is recorded when the database is back."""
    server = await serve(
        "store.backend=mongo", f"mongo.url={mongod.url}", "mongo.database=recording", "store.timeout_s=1"
    )
    clara, robert = [await connect(server) for _ in range(2)]
    for client in (clara, robert):
        await client.join("Salon")
    mongod.pause()
    assert (await clara.refused("record", {"on": True})).code == ErrorCode.UNAVAILABLE
    await clara.play([note_on(), note_off()])
    assert len(await robert.events(2)) == 2
    assert not clara.has(RecordingState)
    mongod.go_on()
    await clara.ask("record", {"on": True})
    await clara.play([note_on(), note_off()])
    await clara.ask("record", {"on": False})
    await clara.expect(RecordingReady)
    errors_logged.records.clear()  # that the database is away
