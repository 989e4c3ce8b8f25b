"""The systemd unit in `docs/deploying.md`."""

import subprocess
import sys
from configparser import RawConfigParser
from pathlib import Path
from typing import Final

import pytest

from rhythmd.config import Config, load_config
from rhythmd.errors import ConfigError
from tests.deploying.document import block
from tests.deploying.proxies import found

UNIT: Final = ("ini", "rhythmd.service")
PROGRAM: Final = "/opt/rhythmd/bin/rhythmd"
LONGEST_STOP_S: Final = 10
TIMEOUT_S: Final = 60


def service() -> dict[str, str]:
    """The keys of its main section, as a parser of configurations writes them: in lower case."""
    parser = RawConfigParser(strict=False)
    parser.read_string(block(*UNIT))
    return dict(parser["Service"])


def test_unit_leaves_the_server_time_and_sockets() -> None:
    keys = service()
    assert int(keys["timeoutstopsec"]) > LONGEST_STOP_S
    assert int(keys["limitnofile"]) > Config().limits.connections
    with pytest.raises(ConfigError, match=f"<= {LONGEST_STOP_S}"):
        load_config(None, {}, [f"server.stop_s={LONGEST_STOP_S + 1}"])


@pytest.mark.parametrize("key", ["execstart", "execstartpre"])
def test_commands_of_the_unit_exist(tmp_path: Path, key: str) -> None:
    program, *arguments = service()[key].split()
    assert program == PROGRAM
    done = subprocess.run(
        [sys.executable, "-m", "rhythmd", *arguments], cwd=tmp_path, capture_output=True, text=True,
        timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (
        2,
        "rhythmd: /etc/rhythmd/config.toml: cannot be read: No such file or directory\n",
    )


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    program = found("systemd-analyze")
    if program is None:
        pytest.skip("there is no systemd here")
    command = tmp_path / "rhythmd"
    command.write_text("#!/bin/sh\n")
    command.chmod(0o755)
    unit = tmp_path / UNIT[1]
    unit.write_text(block(*UNIT, (PROGRAM, str(command))))
    done = subprocess.run(
        [program, "verify", "--man=no", str(unit)], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
    )
    assert (done.returncode, [line for line in done.stderr.splitlines() if UNIT[1] in line]) == (0, [])
