"""The options of `rhythmd play` and `rhythmd listen`.

What the commands do is in `rhythmd.client.terminal`, imported when one of them is run: `rhythmd serve` shares this
command line, and shall not load a MIDI file reader, a progress bar and a WebSocket client that it never uses.
"""

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from rhythmd.config import Config, socket_address
from rhythmd.options import positive_number, speed, text

__all__ = ["add_client_commands"]


class Commands(Protocol):
    """What `ArgumentParser.add_subparsers` returns, as far as it is used here."""

    def add_parser(self, name: str, *, help: str) -> argparse.ArgumentParser: ...  # noqa: A002 - argparse's name


AddOptions = Callable[[argparse.ArgumentParser], None]
Load = Callable[[argparse.Namespace], Config]


def add_client_commands(commands: Commands, add_config_options: AddOptions, load: Load) -> None:
    """Add both; each sets `run`, which takes the options and returns the exit status.

    The address of the server is that of the configuration, unless the command line says another one.
    """

    def run(command: Callable[[argparse.Namespace], int]) -> Callable[[argparse.Namespace], int]:
        def run_there(options: argparse.Namespace) -> int:
            if options.url is None:
                options.url = socket_address(load(options).server)
            return command(options)

        return run_there

    player = commands.add_parser("play", help="play a MIDI file into a room")
    player.add_argument("file", type=Path, metavar="FILE.mid", help="Standard MIDI File to play")
    player.add_argument("--speed", type=speed, default=1.0, help="how many times as fast (default: 1)")
    player.set_defaults(run=run(_play))
    listener = commands.add_parser("listen", help="print or record what a room plays")
    listener.add_argument("--record", type=Path, metavar="OUT.mid", help="write a Standard MIDI File, a track a player")
    listener.add_argument("--seconds", type=positive_number, help="stop after so many seconds")
    listener.add_argument(
        "--until-quiet", type=positive_number, metavar="SECONDS", help="stop so many seconds after the last note"
    )
    listener.set_defaults(run=run(_listen))
    for parser in (player, listener):
        _add_room_options(parser)
        add_config_options(parser)


def _add_room_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--room", type=text, required=True, help="id or name of the room; 'lobby' finds a lobby")
    parser.add_argument("--url", type=text, help="the server (default: the one that the configuration is of)")
    parser.add_argument("--password", type=text, help="of the room")
    parser.add_argument(
        "--create", action=argparse.BooleanOptionalAction, default=True, help="make the room if there is none (default)"
    )
    parser.add_argument("--name", type=text, help="what to be called in the room")
    parser.add_argument("--bot", action="store_true", help="say that this is a bot")


def _play(options: argparse.Namespace) -> int:
    from rhythmd.client.terminal import run_play  # noqa: PLC0415 - see the module's docstring

    return run_play(options)


def _listen(options: argparse.Namespace) -> int:
    from rhythmd.client.terminal import run_listen  # noqa: PLC0415 - see the module's docstring

    return run_listen(options)
