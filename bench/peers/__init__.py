"""Relays as people write them, a few lines each, to compare with. One row here is one peer.

A relay sends each binary message to the others in the room that the URL names (`/ws?room=NAME`); it validates
nothing, counts nothing and knows nothing of music.
"""

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["PEERS", "Peer", "PeerMissing"]

_HERE: Final = Path(__file__).parent
_NPM: Final = ("npm", "install", "--no-package-lock", "--no-audit", "--no-fund", "--foreground-scripts")


class PeerMissing(Exception):
    """This peer cannot run on this machine; the text says why."""


@dataclass(frozen=True)
class Peer:
    """How to run one relay; `npm_folder` holds its package.json, `needs` are programs it calls."""

    name: str
    title: str
    command: tuple[str, ...]
    npm_folder: Path | None = None
    needs: tuple[str, ...] = ()

    def prepare(self) -> None:
        """Install what the relay runs on, at first use. Raises PeerMissing."""
        for program in self.needs:
            if shutil.which(program) is None:
                raise PeerMissing(f"{self.title} skipped: no {program} on this machine")
        if self.npm_folder is not None and not (self.npm_folder / "node_modules").is_dir():
            _npm_install(self.npm_folder, self.title)


def _npm_install(folder: Path, title: str) -> None:
    done = subprocess.run(_NPM, cwd=folder, capture_output=True, text=True, check=False)
    if done.returncode:
        raise PeerMissing(f"{title} skipped: npm install failed: {done.stderr.strip()[-300:]}")


def _python(name: str, title: str, file: str) -> Peer:
    return Peer(name, title, (sys.executable, str(_HERE / file)))


_NODE: Final = _HERE / "node_ws"
_BUN: Final = _HERE / "bun_publish"

PEERS: Final[dict[str, Peer]] = {
    peer.name: peer
    for peer in (
        _python("websockets", "websockets + broadcast()", "websockets_broadcast.py"),
        _python("aiohttp", "aiohttp", "aiohttp_ws.py"),
        Peer("node", "Node ws", ("node", str(_NODE / "server.js")), _NODE, ("npm", "node")),
        Peer(
            "bun",
            "Bun publish",
            (str(_BUN / "node_modules/.bin/bun"), str(_BUN / "server.js")),
            _BUN,
            ("npm", "node"),
        ),
    )
}
