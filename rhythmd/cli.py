"""The commands of the program."""

import argparse
import asyncio
import json
import os
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

import uvloop

from rhythmd.admin import Shared, add_admin_commands, announce_data
from rhythmd.app import Server
from rhythmd.client.commands import add_client_commands
from rhythmd.client.errors import ClientError
from rhythmd.config import Config, Loaded, lacking, read_config, with_sources
from rhythmd.errors import ConfigError
from rhythmd.fairness.threads import FairThreads
from rhythmd.interpreter import tune
from rhythmd.ports import StoreError
from rhythmd.sheet_admin.commands import add_sheet_commands
from rhythmd.telemetry import setup_logging
from rhythmd.terminal import INTERRUPTED, NO_READER, complain, finish, let_go_of_output, prepare, trouble_of

__all__ = ["main"]

DEFAULT_CONFIG = Path("config.toml")
EXIT_CONFIG = 2
EXIT_FAILED = 1
SHORT: Final = {"port": "server.port", "data": "server.data_dir", "workers": "workers.processes"}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; the process's exit status."""
    prepare()
    try:
        options = _parser().parse_args(arguments)
    except SystemExit as done:
        done.code = finish(done.code if isinstance(done.code, int) else 0)
        raise
    return finish(_run(options))


def _run(options: argparse.Namespace) -> int:
    try:
        status: int = options.run(options)
    except ConfigError as error:
        for problem in str(error).split("\n"):
            complain(problem)
        return EXIT_CONFIG
    except ClientError as error:
        complain(str(error))
        return error.exit_status
    except KeyboardInterrupt:
        return INTERRUPTED
    except BrokenPipeError:
        let_go_of_output()
        return NO_READER
    except OSError as error:
        complain(trouble_of(error))
        return EXIT_FAILED
    return status


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="rhythmd", description="The server behind a multiplayer piano.")
    parser.add_argument("--version", action="version", version=f"rhythmd {version('rhythmd')}")
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run the server")
    _add_config_options(serve)
    _add_serve_options(serve)
    serve.set_defaults(run=_serve)
    check = commands.add_parser("check-config", help="check the configuration and say all that is wrong")
    _add_config_options(check)
    _add_serve_options(check)
    check.set_defaults(run=_check_config)
    add_client_commands(commands, _add_config_options, _load_for_client)
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


def _add_serve_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--host", action="append", help="address to listen on (server.host); repeatable")
    parser.add_argument("--port", help="port to listen on (server.port)")
    parser.add_argument("--data", metavar="DIR", help="folder for what is kept (server.data_dir)")


def _read(options: argparse.Namespace) -> Loaded:
    """The configuration file, the environment and, over both, the command line."""
    path: Path | None = options.config
    if path is None and DEFAULT_CONFIG.exists():
        path = DEFAULT_CONFIG
    given = {
        f"--{name}": f"{key}={value}"
        for name, key in SHORT.items()
        if (value := getattr(options, name, None)) is not None
    }
    hosts: list[str] | None = getattr(options, "host", None)
    if hosts:
        given["--host"] = f"server.host={json.dumps(hosts, ensure_ascii=False) if len(hosts) > 1 else hosts[0]}"
    return read_config(path, settings=options.settings, options=given)


def _load(options: argparse.Namespace) -> Config:
    """The configuration, if this machine can do what it says. Raises ConfigError with all that is wrong."""
    loaded = _read(options)
    missing = lacking(loaded.config, loaded.doubtful)
    problems = loaded.problems + [with_sources(text, keys, loaded.sources) for keys, text in missing]
    if problems:
        raise ConfigError("\n".join(problems))
    return loaded.config


def _load_for_client(options: argparse.Namespace) -> Config:
    """The configuration of a server, which may be another machine's. Raises ConfigError."""
    loaded = _read(options)
    if loaded.problems:
        raise ConfigError("\n".join(loaded.problems))
    return loaded.config


def _serve(options: argparse.Namespace) -> int:
    config = _load(options)
    setup_logging(config.server.log_level)
    announce_data(config)
    return uvloop.run(_run_server(config))


async def _run_server(config: Config) -> int:
    asyncio.get_running_loop().set_default_executor(FairThreads())
    try:
        await Server(config).run(_begin)
    except OSError as error:
        complain(f"cannot listen on {', '.join(config.server.hosts)}, port {config.server.port}: {error}")
        return EXIT_FAILED
    except StoreError as error:
        complain(f"cannot use the store: {error}")
        return EXIT_FAILED
    return 0


def _begin(url: str) -> None:
    tune()
    try:
        print(f"rhythmd listening on {url}", flush=True)
    except OSError:  # whoever has started us does not listen, and may well play
        let_go_of_output()


def _check_config(options: argparse.Namespace) -> int:
    for name in os.environ:
        if name.startswith("RHYTHMD_") and "__" not in name:
            complain(f"{name} is not looked at: the form is RHYTHMD_SECTION__KEY")
    _load(options)
    print("the configuration is valid")
    return 0
