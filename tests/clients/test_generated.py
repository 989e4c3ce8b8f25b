"""Clients as others make them: generated from the running server's document, and used as they come out."""

import asyncio
import os
import shutil
import sys
from pathlib import Path
from typing import Final

import pytest

from tests.deadline import within
from tests.pictures import GOOD
from tests.rest.api import UNLIMITED
from tests.server import Spawn

ROOT: Final = Path(__file__).parents[2]
TYPESCRIPT: Final = Path(__file__).parent / "typescript"
SHEET: Final = b"Title: Air\nTempo: 90\n\n[tuo] t u o--\n"
RUN_S: Final = 120.0
NPM_INSTALL: Final = ("npm", "install", "--no-package-lock", "--no-audit", "--no-fund")


async def run(*command: str, folder: Path, **environment: str) -> str:
    """What a program prints, and it must end well."""
    status, output = await attempt(*command, folder=folder, **environment)
    assert status == 0, output
    return output


async def attempt(*command: str, folder: Path, **environment: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    output, _ = await within(process.communicate(), RUN_S)
    assert process.returncode is not None
    return process.returncode, output.decode()


@pytest.fixture
def sheet(tmp_path: Path) -> Path:
    """The file that the clients upload."""
    path = tmp_path / "air.txt"
    path.write_bytes(SHEET)
    return path


async def test_client_of_openapi_python_client(spawn: Spawn, tmp_path: Path, sheet: Path) -> None:
    server = await spawn(*UNLIMITED)
    told = await run(
        sys.executable, "-m", "openapi_python_client", "generate", "--url", f"{server.url}/api/v1/openapi.json",
        "--meta", "none", "--output-path", str(tmp_path / "library_client"), folder=tmp_path,
    )  # fmt: skip
    assert "Cannot parse" not in told, told
    picture = tmp_path / "me.png"
    picture.write_bytes(GOOD["png"])
    path = os.pathsep.join((str(tmp_path), str(ROOT), str(ROOT / "protocol")))
    visit = (sys.executable, "-m", "tests.clients.library", server.url, str(sheet), str(picture))
    await run(*visit, folder=tmp_path, PYTHONPATH=path)


async def test_client_of_openapi_typescript(spawn: Spawn, tmp_path: Path, sheet: Path) -> None:
    bin_ = await npm_packages()
    server = await spawn(*UNLIMITED)
    for name in ("library.ts", "package.json", "tsconfig.json"):
        shutil.copy(TYPESCRIPT / name, tmp_path)
    (tmp_path / "node_modules").symlink_to(TYPESCRIPT / "node_modules")
    document = f"{server.url}/api/v1/openapi.json"
    await run(str(bin_ / "openapi-typescript"), document, "--output", "schema.ts", folder=tmp_path)
    await run(str(bin_ / "tsc"), folder=tmp_path)
    assert await run("node", "build/library.js", server.url, str(sheet), folder=tmp_path) == "done\n"


async def npm_packages() -> Path:
    """Where the programs of the packages are, which are installed at first use."""
    for program in ("npm", "node"):
        if shutil.which(program) is None:
            pytest.skip(f"no {program} on this machine")
    if not (TYPESCRIPT / "node_modules" / ".bin" / "tsc").exists():
        status, output = await attempt(*NPM_INSTALL, folder=TYPESCRIPT)
        if status:
            pytest.skip(f"the npm packages cannot be fetched: {output.strip()[-300:]}")
    return TYPESCRIPT / "node_modules" / ".bin"
