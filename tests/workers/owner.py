"""A server of workers, to be killed: `python -m tests.workers.owner`. It prints its workers' process ids.

One of them waits for a job; the others compute, wait in the system, and ignore what can be ignored.
"""

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Final

from rhythmd.config import WorkersConfig
from rhythmd.workers.pool import WorkerPool
from tests.deadline import until
from tests.workers.jobs import JOBS, Seen

BUSY: Final = ("linger", "loop", "sleep")


def children() -> list[str]:
    return [pid for task in Path("/proc/self/task").iterdir() for pid in (task / "children").read_text().split()]


async def main() -> None:
    pool = WorkerPool(WorkersConfig(processes=4, time_s=2.0, memory_mb=256), JOBS)
    with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as output:
        busy = asyncio.gather(*(pool.run(job, source, output, Seen) for job in BUSY))
        await until(lambda: pool.running == len(BUSY), "they run")
        await pool.run("copy", source, output, Seen)
        sys.stdout.write(" ".join(children()) + "\n")
        sys.stdout.flush()
        await busy


asyncio.run(main())
