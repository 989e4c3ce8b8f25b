"""`python -m tests.fuzz NAME…|all`: each decoder is fuzzed in a process of its own, because libFuzzer ends it."""

import argparse
import os
import sys
import tempfile
from pathlib import Path
from typing import NoReturn

import atheris

DECODERS = [
    "rhythm_protocol",
    "rhythmd.net.frames",
    "rhythmd.net.handshake",
    "rhythmd.auth.tokens",
    "rhythmd.rest.serving.multipart",
]

with atheris.instrument_imports(include=DECODERS):
    from tests.fuzz.targets import TARGETS


def fuzz(name: str, runs: int, seed: int, corpus: str) -> NoReturn:
    """Try `runs` inputs. Ends the process, with 0 unless something came out that is not documented."""
    options = [f"-runs={runs}", f"-seed={seed}", f"-artifact_prefix=fuzz-{name}-", "-verbosity=0"]
    atheris.Setup([sys.argv[0], *options, corpus], TARGETS[name].try_one)
    atheris.Fuzz()
    raise AssertionError("libFuzzer ends the process")


def fuzz_apart(name: str, runs: int, seed: int) -> bool:
    """Whether nothing was found."""
    print(f"{name}:", flush=True)
    with tempfile.TemporaryDirectory(prefix="fuzz-") as folder:
        for number, data in enumerate(TARGETS[name].corpus):
            Path(folder, str(number)).write_bytes(data)
        child = os.fork()
        if child == 0:
            fuzz(name, runs, seed, folder)
        return os.waitpid(child, 0)[1] == 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Fuzz the decoders.")
    parser.add_argument("names", nargs="+", choices=["all", *TARGETS], metavar="NAME", help=", ".join(TARGETS))
    parser.add_argument("--runs", type=int, default=100_000, help="inputs for each decoder (%(default)s)")
    parser.add_argument("--seed", type=int, default=1, help="the same one tries the same inputs (%(default)s)")
    arguments = parser.parse_args()
    names = list(TARGETS) if "all" in arguments.names else arguments.names
    found = [name for name in names if not fuzz_apart(name, arguments.runs, arguments.seed)]
    print(f"something not documented came out of: {', '.join(found) or 'none'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
