"""The pool of worker processes: whatever a job does, the server and all other jobs go on."""

import asyncio
import contextlib
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import BinaryIO, Final

import msgspec
import pytest

from rhythm_protocol.errors import ErrorCode
from rhythmd.config import WorkersConfig
from rhythmd.errors import FileTooCostly, Refused, RefusedFile
from rhythmd.workers.pool import WorkerPool
from tests.conftest import ErrorLog
from tests.deadline import until, within
from tests.processes import children
from tests.workers.jobs import JOBS, Seen

CONTENT: Final = b"do re mi"
CONFIG: Final = WorkersConfig(time_s=5.0, memory_mb=256)
PATIENT: Final = WorkersConfig(time_s=60.0, memory_mb=256)
HASTY: Final = WorkersConfig(time_s=0.2, memory_mb=256)
ALONE: Final = msgspec.structs.replace(CONFIG, processes=1, queue=1)

Open = Callable[..., WorkerPool]


@pytest.fixture
async def open_pool() -> AsyncIterator[Open]:
    """Makes pools, and looks that no process is left of them."""
    before = children()
    async with contextlib.AsyncExitStack() as stack:

        def make(config: WorkersConfig = CONFIG, jobs_each: int = 100) -> WorkerPool:
            pool = WorkerPool(config, JOBS, jobs_each=jobs_each)
            stack.push_async_callback(pool.close)
            return pool

        yield make
    assert children() <= before


def file_with(content: bytes = b"") -> BinaryIO:
    file = tempfile.TemporaryFile()  # noqa: SIM115 - its callers close it
    file.write(content)
    file.flush()
    return file


def is_gone(pid: int) -> bool:
    """Whether a process has ended, if need be as a zombie that nobody waits for."""
    try:
        return "(zombie)" in Path(f"/proc/{pid}/status").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return True


def link_of(file: BinaryIO) -> str:
    return str(Path(f"/proc/self/fd/{file.fileno()}").readlink())


async def perform(pool: WorkerPool, job: str, content: bytes = CONTENT) -> tuple[Seen, bytes]:
    """What a job says, and what it wrote."""
    with file_with(content) as source, file_with() as output:
        seen = await within(pool.run(job, source, output, Seen))
        output.seek(0)
        return seen, output.read()


async def begin(pool: WorkerPool, stack: contextlib.AsyncExitStack) -> tuple[asyncio.Task[Seen], int]:
    """A job that lingers, and the process that does it."""
    source, output = stack.enter_context(file_with(CONTENT)), stack.enter_context(file_with())
    job = asyncio.create_task(pool.run("linger", source, output, Seen))
    await until(lambda: os.pread(output.fileno(), 20, 0), "the job has begun")
    return job, int(os.pread(output.fileno(), 20, 0))


async def test_job_reads_one_file_and_writes_another(open_pool: Open) -> None:
    seen, written = await perform(open_pool(), "copy")
    assert (seen.size, written) == (len(CONTENT), CONTENT)
    assert seen.pid != os.getpid()


async def test_worker_is_kept_for_the_next_job_and_replaced_after_some(open_pool: Open) -> None:
    pool = open_pool(ALONE, jobs_each=2)
    pids = [(await perform(pool, "copy"))[0].pid for _ in range(4)]
    assert (pids[0] == pids[1], pids[2] == pids[3], pids[1] == pids[2]) == (True, True, False)


async def test_job_that_prints_does_not_disturb_its_answer(open_pool: Open) -> None:
    pool = open_pool()
    assert (await perform(pool, "talk"))[0].size == 0
    assert (await perform(pool, "copy"))[1] == CONTENT


async def test_file_refused_by_the_job_says_why_and_keeps_the_worker(open_pool: Open) -> None:
    pool = open_pool(ALONE)
    seen, _ = await perform(pool, "copy")
    with pytest.raises(RefusedFile, match="line 3: no such note"):
        await perform(pool, "refuse")
    assert (await perform(pool, "copy"))[0].pid == seen.pid


@pytest.mark.parametrize("job", ["loop", "sleep"])
async def test_file_that_takes_too_long_is_refused_alone(open_pool: Open, job: str) -> None:
    pool = open_pool(HASTY)
    with pytest.raises(FileTooCostly, match=r"more than 0\.2 s"):
        await perform(pool, job)
    assert (await perform(pool, "copy"))[1] == CONTENT


@pytest.mark.parametrize(
    ("job", "reason"),
    [
        ("allocate", "memory"),
        ("write", "memory"),
        ("nest", "memory"),
        ("crash", "died"),
        ("leave", "died"),
    ],
)
async def test_file_that_takes_too_much_is_refused_alone(open_pool: Open, job: str, reason: str) -> None:
    pool = open_pool(PATIENT)
    with pytest.raises(FileTooCostly, match=reason):
        await perform(pool, job)
    assert (await perform(pool, "copy"))[1] == CONTENT


async def test_job_with_a_fault_is_logged_and_the_file_refused(open_pool: Open, errors_logged: ErrorLog) -> None:
    pool = open_pool()
    with pytest.raises(RefusedFile, match="cannot be read"):
        await perform(pool, "fail")
    assert "a mistake of ours" in errors_logged.texts()[0]
    errors_logged.records.clear()
    assert (await perform(pool, "copy"))[1] == CONTENT


async def test_job_that_cannot_be_loaded_is_no_fault_of_the_file(open_pool: Open) -> None:
    with pytest.raises(RuntimeError, match="No module named"):
        await perform(open_pool(), "missing")


async def test_killed_worker_costs_only_its_own_job(open_pool: Open) -> None:
    pool = open_pool()
    async with contextlib.AsyncExitStack() as stack:
        job, pid = await begin(pool, stack)
        os.kill(pid, signal.SIGKILL)
        with pytest.raises(FileTooCostly, match="died"):
            await within(job)
    assert (await perform(pool, "copy"))[1] == CONTENT


async def test_worker_killed_between_jobs_is_not_noticed(open_pool: Open) -> None:
    pool = open_pool(ALONE)
    seen, _ = await perform(pool, "copy")
    os.kill(seen.pid, signal.SIGKILL)
    again, written = await perform(pool, "copy")
    assert written == CONTENT
    assert again.pid != seen.pid


async def test_fifty_jobs_at_once_share_the_workers(open_pool: Open) -> None:
    pool = open_pool()
    contents = [bytes([number]) * 1_000 * number for number in range(50)]
    done = await asyncio.gather(*(perform(pool, "copy", content) for content in contents))
    assert [written for _, written in done] == contents
    assert len({seen.pid for seen, _ in done}) <= CONFIG.processes
    assert (pool.running, pool.waiting) == (0, 0)


async def test_wait_behind_slow_jobs_is_not_counted(open_pool: Open) -> None:
    pool = open_pool(msgspec.structs.replace(HASTY, processes=1))
    outcomes = await asyncio.gather(
        *(perform(pool, job) for job in ("loop", "sleep", "loop", "copy")), return_exceptions=True
    )
    assert [type(outcome) for outcome in outcomes] == [FileTooCostly, FileTooCostly, FileTooCostly, tuple]


async def test_one_job_too_many_is_refused_at_once(open_pool: Open) -> None:
    pool = open_pool(ALONE)
    async with contextlib.AsyncExitStack() as stack:
        job, _ = await begin(pool, stack)
        waiting = asyncio.create_task(perform(pool, "copy"))
        await until(lambda: pool.waiting == 1, "the second job waits")
        with pytest.raises(Refused) as refused:
            await perform(pool, "copy")
        assert refused.value.code is ErrorCode.BUSY
        assert (pool.running, pool.waiting) == (1, 1)
        waiting.cancel()
        await until(lambda: pool.waiting == 0, "nobody waits")
        await pool.close()
        with pytest.raises(Refused, match="stops"):
            await within(job)


async def test_caller_that_gives_up_may_close_its_files(open_pool: Open) -> None:
    pool = open_pool(msgspec.structs.replace(HASTY, processes=1))
    async with contextlib.AsyncExitStack() as stack:
        job, _ = await begin(pool, stack)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job
    assert (await perform(pool, "copy"))[1] == CONTENT


async def test_close_ends_jobs_at_once_and_takes_no_more(open_pool: Open) -> None:
    pool = open_pool()
    async with contextlib.AsyncExitStack() as stack:
        job, pid = await begin(pool, stack)
        await within(pool.close())
        assert is_gone(pid)
        with pytest.raises(Refused, match="stops"):
            await within(job)
    with pytest.raises(Refused):
        await perform(pool, "copy")


async def test_close_refuses_jobs_that_wait(open_pool: Open) -> None:
    pool = open_pool(ALONE)
    async with contextlib.AsyncExitStack() as stack:
        job, _ = await begin(pool, stack)
        waiting = asyncio.create_task(perform(pool, "copy"))
        await until(lambda: pool.waiting == 1, "the second job waits")
        await within(pool.close())
        for refused in (job, waiting):
            with pytest.raises(Refused, match="stops"):
                await within(refused)


async def test_no_process_to_be_had_is_told_from_a_bad_file(open_pool: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    pool = open_pool()
    with monkeypatch.context() as patch:
        patch.setattr(sys, "executable", "/nowhere/python")
        with pytest.raises(Refused, match="no worker can be had"):
            await perform(pool, "copy")
        patch.setattr(sys, "executable", "/bin/false")
        with pytest.raises(Refused, match="no worker can be had"):
            await perform(pool, "copy")
    assert (await perform(pool, "copy"))[1] == CONTENT


async def test_worker_sees_nothing_of_the_server(open_pool: Open, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RHYTHMD_AUTH__SECRET", "secret")
    with file_with() as other:
        os.set_inheritable(other.fileno(), True)
        seen, _ = await perform(open_pool(), "look")
        assert link_of(other) not in seen.found
    assert "PYTHONPATH" in seen.found
    assert not [found for found in seen.found if found.startswith(("RHYTHMD", "HOME", "PATH"))]
    assert sum(found.startswith("socket:") for found in seen.found) == 1
    assert seen.size > os.nice(0)


async def test_worker_may_start_nothing_and_leaves_no_dump(open_pool: Open) -> None:
    seen, _ = await perform(open_pool(), "limits")
    assert seen.found == ("(0, 0)", "(0, 0)")


async def test_interrupt_at_the_terminal_is_not_for_workers(open_pool: Open) -> None:
    pool = open_pool()
    async with contextlib.AsyncExitStack() as stack:
        job, pid = await begin(pool, stack)
        assert os.getpgid(pid) == pid != os.getpgid(0)
        await pool.close()
        with pytest.raises(Refused, match="stops"):
            await within(job)


async def test_killed_server_leaves_no_worker() -> None:
    owner = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.workers.owner", stdout=asyncio.subprocess.PIPE
    )
    assert owner.stdout is not None
    pids = [int(pid) for pid in (await within(owner.stdout.readline())).split()]
    assert len(pids) == 4
    assert not any(is_gone(pid) for pid in pids)
    owner.kill()
    await within(owner.wait())
    await until(lambda: all(is_gone(pid) for pid in pids), "no worker is left")
