"""The commands of the program."""

import argparse
import sys
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import uvloop

from rhythmd.admin import Shared, add_admin_commands
from rhythmd.app import Server
from rhythmd.client.commands import add_client_commands
from rhythmd.client.errors import ClientError
from rhythmd.config import Config, load_config
from rhythmd.errors import ConfigError
from rhythmd.ports import StoreError
from rhythmd.sheet_admin.commands import add_sheet_commands
from rhythmd.telemetry import setup_logging

__all__ = ["main"]

DEFAULT_CONFIG = Path("config.toml")
EXIT_CONFIG = 2
EXIT_FAILED = 1


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit status."""
    options = _parser().parse_args(arguments)
    try:
        status: int = options.run(options)
    except ConfigError as error:
        print(f"rhythmd: {error}", file=sys.stderr)
        return EXIT_CONFIG
    except ClientError as error:
        print(f"rhythmd: {error}", file=sys.stderr)
        return error.exit_status
    except KeyboardInterrupt:
        return 130
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rhythmd", description="The server behind a multiplayer piano.")
    parser.add_argument("--version", action="version", version=f"rhythmd {version('rhythmd')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run the server")
    _add_config_options(serve)
    serve.add_argument("--host", help="address to listen on (server.host)")
    serve.add_argument("--port", help="port to listen on (server.port)")
    serve.add_argument("--data", metavar="DIR", help="folder for what is kept (server.data_dir)")
    serve.set_defaults(run=_serve)
    check = commands.add_parser("check-config", help="check the configuration and say what is wrong")
    _add_config_options(check)
    check.set_defaults(run=_check_config)
    add_client_commands(commands)
    shared = Shared(_add_config_options, _load)
    add_admin_commands(commands, shared)
    add_sheet_commands(commands, shared)
    return parser


def _add_config_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--config", type=Path, help=f"configuration file (default: {DEFAULT_CONFIG} here, if there is one)"
    )
    parser.add_argument(
        "--set", dest="settings", action="append", default=[], metavar="SECTION.KEY=VALUE",
        help="override one key of the configuration; repeatable",
    )  # fmt: skip


def _load(options: argparse.Namespace) -> Config:
    path: Path | None = options.config
    if path is None and DEFAULT_CONFIG.exists():
        path = DEFAULT_CONFIG
    short = {"host": "server.host", "port": "server.port", "data": "server.data_dir", "workers": "workers.processes"}
    given = [f"{key}={value}" for name, key in short.items() if (value := getattr(options, name, None)) is not None]
    return load_config(path, settings=[*options.settings, *given])


def _serve(options: argparse.Namespace) -> int:
    config = _load(options)
    setup_logging(config.server.log_level)
    return uvloop.run(_run_server(config))


async def _run_server(config: Config) -> int:
    try:
        await Server(config).run(lambda url: print(f"rhythmd listening on {url}", flush=True))
    except OSError as error:
        print(f"rhythmd: cannot listen on {config.server.host}:{config.server.port}: {error}", file=sys.stderr)
        return EXIT_FAILED
    except StoreError as error:
        print(f"rhythmd: cannot use the store: {error}", file=sys.stderr)
        return EXIT_FAILED
    return 0


def _check_config(options: argparse.Namespace) -> int:
    _load(options)
    print("the configuration is valid")
    return 0
