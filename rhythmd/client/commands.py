"""The options of `rhythmd play` and `rhythmd listen`.

What the commands do is in `rhythmd.client.terminal`, imported when one of them is run: `rhythmd serve` shares this
command line, and shall not load a MIDI file reader, a progress bar and a WebSocket client that it never uses.
"""

import argparse
from pathlib import Path
from typing import Final, Protocol

__all__ = ["add_client_commands"]

DEFAULT_URL: Final = "ws://127.0.0.1:8080/ws"


class Commands(Protocol):
    """What `ArgumentParser.add_subparsers` returns, as far as it is used here."""

    def add_parser(self, name: str, *, help: str) -> argparse.ArgumentParser: ...  # noqa: A002 - argparse's name


def add_client_commands(commands: Commands) -> None:
    """Add both; each sets `run`, which takes the options and returns the exit status."""
    player = commands.add_parser("play", help="play a MIDI file into a room")
    player.add_argument("file", type=Path, metavar="FILE.mid", help="Standard MIDI File to play")
    player.add_argument("--speed", type=_positive, default=1.0, help="how many times as fast (default: 1)")
    _add_room_options(player)
    player.set_defaults(run=_play)
    listener = commands.add_parser("listen", help="print or record what a room plays")
    listener.add_argument("--record", type=Path, metavar="OUT.mid", help="write a Standard MIDI File, a track a player")
    listener.add_argument("--seconds", type=_positive, help="stop after so many seconds")
    listener.add_argument(
        "--until-quiet", type=_positive, metavar="SECONDS", help="stop so many seconds after the last note"
    )
    _add_room_options(listener)
    listener.set_defaults(run=_listen)


def _add_room_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--room", required=True, help="id or name of the room; 'lobby' finds a lobby")
    parser.add_argument("--url", default=DEFAULT_URL, help=f"the server (default: {DEFAULT_URL})")
    parser.add_argument("--password", help="of the room")
    parser.add_argument(
        "--create", action=argparse.BooleanOptionalAction, default=True, help="make the room if there is none (default)"
    )
    parser.add_argument("--name", help="what to be called in the room")
    parser.add_argument("--bot", action="store_true", help="say that this is a bot")


def _positive(text: str) -> float:
    value = float(text)
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"must be more than 0, is {text}")
    return value


def _play(options: argparse.Namespace) -> int:
    from rhythmd.client.terminal import run_play  # noqa: PLC0415 - see the module's docstring

    return run_play(options)


def _listen(options: argparse.Namespace) -> int:
    from rhythmd.client.terminal import run_listen  # noqa: PLC0415 - see the module's docstring

    return run_listen(options)
