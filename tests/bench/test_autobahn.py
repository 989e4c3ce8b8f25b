"""The echo that Autobahn talks to, and what is made of its verdicts. The suite itself needs Python 2.7."""

import json
import sys
from pathlib import Path
from typing import Final

import pytest
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from bench.cli import main
from bench.echo import echoing
from rhythm_protocol.control import SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON
from tests.deadline import within

PROGRAM: Final = """#!{python}
import json, pathlib, sys
plan = json.loads(pathlib.Path(sys.argv[sys.argv.index("--spec") + 1]).read_text())
[server] = plan["servers"]
case = "1.2.1" if server["protocols"] == ["rhythm.v1"] else "7.1.1"
cases = {{case: {{"behavior": "{behavior}", "behaviorClose": "{close}", "duration": 1}}}}
(pathlib.Path(plan["outdir"]) / "index.json").write_text(json.dumps({{server["agent"]: cases}}))
"""


@pytest.mark.parametrize(
    ("subprotocol", "message"),
    [(SUBPROTOCOL_BINARY, b"\x00" * 70_000), (SUBPROTOCOL_BINARY, b""), (SUBPROTOCOL_JSON, "κόσμε" * 9_000)],
)
async def test_echo_sends_messages_back(subprotocol: str, message: bytes | str) -> None:
    async with (
        echoing() as url,
        connect(url, subprotocols=[Subprotocol(subprotocol)], compression=None, proxy=None) as socket,
    ):
        await socket.send(message)
        assert await within(socket.recv()) == message


@pytest.mark.parametrize(
    ("behavior", "close", "status"),
    [
        ("OK", "OK", 0),
        ("INFORMATIONAL", "INFORMATIONAL", 0),
        ("NON-STRICT", "OK", 1),
        ("OK", "WRONG CODE", 1),
        ("FAILED", "FAILED", 1),
    ],
)
def test_cases_that_are_not_good_fail_the_command(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], behavior: str, close: str, status: int
) -> None:
    program = tmp_path / "wstest"
    program.write_text(PROGRAM.format(python=sys.executable, behavior=behavior, close=close))
    program.chmod(0o755)
    assert main(["--results", str(tmp_path), "autobahn", "--wstest", str(program)]) == status
    said = capsys.readouterr().out
    assert ("1.2.1" in said and "7.1.1" in said) is bool(status)
    [saved] = tmp_path.glob("autobahn-*.json")
    assert json.loads(saved.read_text())["targets"][0]["measured"] == f"{0 if status else 2} of 2"


def test_program_that_is_not_there_is_named() -> None:
    with pytest.raises(SystemExit, match=r"no program nothing.*README"):
        main(["autobahn", "--wstest", "nothing"])
