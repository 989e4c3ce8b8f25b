"""The attackers' process: `python -m bench.abuse.striking SPEC`, with an `AttackSpec` as JSON.

It says `ready`, reads a line with a `Timing`, and answers with an `AttackResult` when the attack is over.
"""

import asyncio
import os
import sys
import time
from asyncio import TaskGroup
from random import Random
from time import monotonic
from typing import Final

import msgspec
import uvloop

from bench.abuse.attacker import Attacker
from bench.abuse.catalogue import ATTACKS
from bench.abuse.spec import AttackResult, AttackSpec, Timing
from bench.abuse.wire import Tally
from bench.load.process import READY
from bench.system import AHEAD, raise_open_files

__all__ = ["attack", "strike"]

_STEP_BACK: Final = 19


async def attack(attacker: Attacker, name: str, tally: Tally) -> None:
    """Let one address do what the row of that name says, until its end; then all its connections are cut off."""
    try:
        async with asyncio.timeout(max(0.0, attacker.end - monotonic())):
            await ATTACKS[name].strike(attacker)
    except TimeoutError:  # that is the end
        pass
    except OSError as refusal:
        tally.fates[f"could not begin: {refusal}"] += 1
    finally:
        attacker.leave()


async def strike(spec: AttackSpec, timing: Timing) -> AttackResult:
    """Attack from `begin` to `end`."""
    tally = Tally(marks={f"{name} got": name.encode() for name in ATTACKS[spec.name].counts})
    attackers = [
        Attacker(spec.host, spec.port, number, tally, timing.end, Random(f"{spec.seed} {spec.name} {number}"))
        for number in range(spec.attackers)
    ]
    await asyncio.sleep(timing.begin - monotonic())
    began = time.process_time()
    async with TaskGroup() as tasks:
        for attacker in attackers:
            tasks.create_task(attack(attacker, spec.name, tally))
    cpu = (time.process_time() - began) / max(0.001, timing.end - timing.begin)
    return AttackResult(tally.opened, tally.sent, tally.received, dict(tally.fates), cpu)


def main() -> None:
    raise_open_files()
    # The players, whose core it may share, go before it in real time, and then it goes before what else runs there.
    # Where this user may not say so it stands behind them: what they measure is the server's time, not the attackers'.
    try:
        os.setpriority(os.PRIO_PROCESS, 0, AHEAD)
    except PermissionError:
        os.setpriority(os.PRIO_PROCESS, 0, _STEP_BACK)
    spec = msgspec.json.decode(sys.argv[1], type=AttackSpec)
    sys.stdout.buffer.write(READY)
    sys.stdout.buffer.flush()
    timing = msgspec.json.decode(sys.stdin.buffer.readline(), type=Timing)
    sys.stdout.buffer.write(msgspec.json.encode(uvloop.run(strike(spec, timing))))


if __name__ == "__main__":
    main()
