"""One attack from beginning to end: a server of its own, the honest ones, the attackers, and what each of them saw."""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic, sleep
from typing import Any, Final

import msgspec
from msgspec import Struct

from bench.abuse.catalogue import ATTACKS
from bench.abuse.encryption import make_certificate
from bench.abuse.spec import AttackResult, AttackSpec, Phase, PlayersResult, PlayersSpec, Timing
from bench.load.process import READY
from bench.options import Cores
from bench.servers import RHYTHMD, running
from bench.system import AHEAD, anonymous_bytes, cpu_seconds, forget_peak, peak_resident_bytes, pinned

__all__ = ["AFTER", "ATTACK", "QUIET", "Outcome", "Plan", "growth_allowed", "suffer"]

QUIET: Final = "quiet"
ATTACK: Final = "attack"
AFTER: Final = "after"
_ROOT: Final = Path(__file__).parents[2]
_SOURCES: Final = ["198.51.100.1", "198.51.100.2"]
_LEAD_S: Final = 0.5
_SETTLE_S: Final = 120.0
"""A lost client's seat is kept for 30 s, and then the recordings that end with it are made, one after the other."""
_LOOK_S: Final = 0.5
_MIB: Final = 1 << 20
_BLOCK: Final = 512
_GROWTH_BYTES: Final = 16 * _MIB
_GROWTH_SHARE: Final = 0.10


class Plan(Struct, frozen=True):
    """How each attack is run: seconds of the three phases, addresses, events/s of a player, more settings."""

    quiet: float
    seconds: float
    after: float
    attackers: int
    rate: float
    settings: Sequence[str] = ()

    @property
    def phases(self) -> list[Phase]:
        begin, end = self.quiet, self.quiet + self.seconds
        return [Phase(QUIET, 0.0, begin), Phase(ATTACK, begin, end), Phase(AFTER, end, end + self.after)]


class Outcome(Struct, frozen=True):
    """What came of an attack. Memory is the server's, in bytes, without mapped files but for `peak`; `cpu` is its share
    of a core during the attack. The bytes of the log and of the data folder are those in the end.

    `settled` is how many seconds after its end memory was back, or None if it did not come back.
    """

    name: str
    players: PlayersResult
    attack: AttackResult
    before: int
    peak: int
    left: int
    settled: float | None
    cpu: float
    log_bytes: int
    disk_bytes: int


def growth_allowed(before: int) -> int:
    """Bytes that a server may have more afterwards: an allocator does not give all of it back."""
    return int(max(_GROWTH_BYTES, before * _GROWTH_SHARE))


@contextmanager
def _process(module: str, spec: Struct, core: int | None) -> Iterator["subprocess.Popen[bytes]"]:
    """A process that has said that it is ready."""
    command = [sys.executable, "-m", module, msgspec.json.encode(spec).decode()]
    with pinned(core):
        # In a group of its own, so that a terminal's interrupt is this process's alone to answer.
        process = subprocess.Popen(command, cwd=_ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, process_group=0)
    with process:
        try:
            assert process.stdout is not None
            if process.stdout.readline() != READY:
                raise RuntimeError(f"{module} cannot begin; the reason stands above")
            yield process
        finally:
            process.kill()


def _tell(process: "subprocess.Popen[bytes]", words: object) -> None:
    assert process.stdin is not None
    process.stdin.write(msgspec.json.encode(words) + b"\n")
    process.stdin.flush()


def _report(process: "subprocess.Popen[bytes]", kind: type[Any]) -> Any:
    output, _ = process.communicate()
    if process.returncode:
        raise RuntimeError("a process of the run failed; the reason stands above")
    return msgspec.json.decode(output, type=kind)


def _sleep_until(moment: float) -> None:
    sleep(max(0.0, moment - monotonic()))


def _settle(pid: int, before: int) -> tuple[int, float | None]:
    """Memory when it is back or the time for that is over, and the seconds that it took, if it is back."""
    began = monotonic()
    while True:
        left, took = anonymous_bytes(pid), monotonic() - began
        if left - before <= growth_allowed(before):
            return left, took
        if took > _SETTLE_S:
            return left, None
        sleep(_LOOK_S)


def _disk_bytes(folder: Path) -> int:
    """What the files in it take, holes left out."""
    return sum(path.stat().st_blocks * _BLOCK for path in folder.rglob("*") if path.is_file())


def _step_forward(pid: int) -> None:
    """Let the server go before what else runs on its core, where this user may: that is not what is measured."""
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, pid, AHEAD)


def _settings(plan: Plan, folder: str, *, tls: bool) -> list[str]:
    return [*plan.settings, *(make_certificate(Path(folder)) if tls else ())]


def suffer(name: str, plan: Plan, cores: Cores) -> Outcome:
    """Run one attack. Raises RuntimeError when the server or one of the processes fails."""
    quiet, attack, after = plan.phases
    tls = ATTACKS[name].tls
    with TemporaryDirectory() as folder, running(RHYTHMD, _settings(plan, folder, tls=tls), cores.server) as server:
        assert server.pid is not None
        assert server.log is not None
        pid = server.pid
        _step_forward(pid)
        players_spec = PlayersSpec(
            server.host, server.port, _SOURCES, ATTACKS[name].errand, plan.rate, plan.phases, tls=tls
        )
        attack_spec = AttackSpec(name, server.host, server.port, plan.attackers)
        with (
            _process("bench.abuse.striking", attack_spec, cores.load) as attackers,
            _process("bench.abuse.players", players_spec, cores.load) as players,
        ):
            start = monotonic() + _LEAD_S
            _tell(players, start)
            _tell(attackers, Timing(start + attack.begin, start + attack.end))
            _sleep_until(start + quiet.end)
            forget_peak(pid)
            before, cpu = anonymous_bytes(pid), cpu_seconds(pid)
            _sleep_until(start + attack.end)
            cpu = (cpu_seconds(pid) - cpu) / plan.seconds
            attacked: AttackResult = _report(attackers, AttackResult)
            _sleep_until(start + after.end)
            played: PlayersResult = _report(players, PlayersResult)
        peak = peak_resident_bytes(pid)
        left, settled = _settle(pid, before)
        log = server.log.stat().st_size
        disk = _disk_bytes(server.log.parent / "data")
        return Outcome(name, played, attacked, before, peak, left, settled, cpu, log, disk)
