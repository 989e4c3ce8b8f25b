"""`rhythmd sheets import` while its database goes away."""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.commands.sheets import Desk, fill
from tests.deadline import DEADLINE_S
from tests.server import server_environment
from tests.services import Mongod, running_mongod

FILES: Final = 150


@pytest.fixture
def mongod(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mongod]:
    with running_mongod(tmp_path_factory.mktemp("mongod")) as running:
        yield running


@pytest.fixture
def desk(tmp_path: Path, mongod: Mongod) -> Desk:
    made = Desk(
        tmp_path / "data",
        "store.backend=mongo",
        "store.timeout_s=2",
        f"mongo.url={mongod.url}",
        "mongo.database=imports",
        "mongo.find_s=0.3",
    )
    asyncio.run(made.prepare())
    return made


def outcomes(report: Path) -> list[str]:
    return [json.loads(line)["outcome"] for line in report.read_text().splitlines()]


def test_import_without_its_database_stops_and_goes_on_later(desk: Desk, mongod: Mongod, tmp_path: Path) -> None:
    folder, report = tmp_path / "music", tmp_path / "report"
    fill(folder, FILES)
    report.touch()
    command = [sys.executable, "-m", "rhythmd", "sheets", "import", str(folder), "--as", "clara"]
    command += ["--report", str(report), *desk.options]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=server_environment()
    ) as process:
        while report.read_text().count("\n") < 10:
            assert process.poll() is None
        mongod.kill()
        printed, complaint = process.communicate(timeout=2 * DEADLINE_S)
    assert process.returncode == 1
    assert "stopped: " in complaint
    assert "Traceback" not in complaint
    done = outcomes(report)
    assert 10 <= len(done) < FILES
    assert {*done} == {"imported"}
    assert printed.splitlines()[-1].split() == ["all", str(len(done)), "0", "0"]
    mongod.spawn()
    mongod.await_primary()
    assert desk.take_in(folder, "--report", str(report)) == 0
    assert outcomes(report).count("already there") >= len(done)
    assert len({sheet.file_name for sheet in desk.sheets()}) == len(desk.sheets()) == FILES
    assert desk.run("check", "--deep") == 0
