"""What a command loads, seen in an interpreter of its own."""

import subprocess
import sys

import pytest

ALL_MODULES = "import sys; print(*sys.modules)"


def loaded_by(code: str) -> set[str]:
    """The modules that are loaded once `code` has run."""
    command = [sys.executable, "-c", f"{code}\n{ALL_MODULES}"]
    return set(subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()[-1].split())


@pytest.fixture(scope="module")
def loaded_by_serve() -> set[str]:
    """With the whole command line parsed, as far as `serve` can go without a configuration and a port."""
    return loaded_by(
        "from rhythmd.cli import main\n"
        "try:\n"
        "    main(['serve', '--set', 'limits.connections=0'])\n"
        "except SystemExit:\n"
        "    pass"
    )


@pytest.mark.parametrize(
    "library",
    [
        "PIL",
        "matplotlib",
        "mido",
        "motor",
        "msgpack",
        "music21",
        "numpy",
        "pymongo",
        "redis",
        "rhythmd.sheets.formats.analysis",
        "tqdm",
        "verovio",
        "websockets.asyncio.client",
        "xml.parsers.expat",
    ],
)
def test_serve_does_not_load_what_it_does_not_use(loaded_by_serve: set[str], library: str) -> None:
    assert "rhythmd.app" in loaded_by_serve
    assert library not in loaded_by_serve


def test_client_does_not_load_the_server() -> None:
    loaded = loaded_by("import rhythmd.client.terminal")
    assert "rhythmd.midi.state" in loaded
    servers = ("rhythmd.hub", "rhythmd.net", "rhythmd.rest", "rhythmd.store", "rhythmd.auth", "rhythmd.app")
    assert [module for module in loaded if module.startswith(servers)] == []
