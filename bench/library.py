"""rhythmd with a library of two sheets, as a process of its own: `python -m bench.library --data DIR`."""

import argparse
from pathlib import Path
from typing import Final

import uvloop

from rhythm_protocol.errors import ErrorCode
from rhythmd.app import Server
from rhythmd.config import load_config
from rhythmd.errors import Refused
from rhythmd.hub.ports import Performance
from rhythmd.midi.reader import read_performance
from rhythmd.midi.score import Score

__all__ = ["DENSE", "PIECE", "Library"]

PIECE: Final = "piece"
DENSE: Final = "dense"
FILE: Final = Path(__file__).parent / "data" / "weber-concertino-op26-allegro.mid"
DENSE_S: Final = 120
KEYS: Final = 80


def _dense() -> Score:
    """A key pressed or released every millisecond: as much as is played of any sheet."""
    events = [(ms, (0x90 if ms // KEYS % 2 == 0 else 0x80, 24 + ms % KEYS, 64)) for ms in range(DENSE_S * 1_000)]
    return Score.of(events)


class Library:
    """Implements `hub.ports.SheetSource`: a concertino for clarinet and piano, and one with 1,000 events a second.

    Both are read at the start: to play is what is measured.
    """

    def __init__(self) -> None:
        piece = Performance(PIECE, "Concertino", "Weber", read_performance(FILE.read_bytes()))
        self._sheets = {PIECE: piece, DENSE: Performance(DENSE, "A thousand a second", "", _dense())}

    async def performance(self, sheet_id: str, _user_id: str | None, _roles: frozenset[str]) -> Performance:
        if sheet_id not in self._sheets:
            raise Refused(ErrorCode.NOT_FOUND, "there is no such sheet", "sheet")
        return self._sheets[sheet_id]


async def _serve(library: Library, data: str, settings: list[str]) -> None:
    config = load_config(None, {}, ["server.port=0", f"server.data_dir={data}", *settings])
    await Server(config, library).run(lambda url: print(f"rhythmd listening on {url}", flush=True))


def _main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench.library")
    parser.add_argument("--data", required=True)
    parser.add_argument("--set", dest="settings", action="append", default=[])
    arguments = parser.parse_args()
    uvloop.run(_serve(Library(), arguments.data, arguments.settings))


if __name__ == "__main__":
    _main()
