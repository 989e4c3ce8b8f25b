"""Changes of the library of sheet music."""

from tests.changes.tree import Tree, recipe

ANALYSIS = "rhythmd/sheets/formats/analysis.py"


@recipe("a format of sheet music")
def sheet_format(tree: Tree) -> None:
    reader = '''"""Music that is only rests."""

from rhythmd.rows import ScoreFacts, SheetCategory
from rhythmd.sheets.formats.performance import Performance
from rhythmd.sheets.formats.virtual_piano import read_virtual_piano

__all__ = ["read_rests"]


def read_rests(text: str) -> tuple[ScoreFacts, Performance]:
    """What a file of rests says."""
    _, performance = read_virtual_piano("a")
    return ScoreFacts(category=SheetCategory.RESTS, title=text.partition(":")[2].strip()), performance
'''
    tree.write("rhythmd/sheets/formats/rests.py", reader)
    tree.after(
        ANALYSIS,
        "from rhythmd.sheets.formats.performance import Performance, write\n",
        "from rhythmd.sheets.formats.rests import read_rests\n",
    )
    tree.before(
        ANALYSIS, "    if _JSON.match(text):\n", '    if text.startswith("rests:"):\n        return read_rests(text)\n'
    )
    tree.after("rhythmd/rows/sheets.py", '    MULTIPLAYER_PIANO = "multiplayer-piano"\n', '    RESTS = "rests"\n')
    tree.after(
        "rhythmd/sheets/files.py",
        '    SheetCategory.MULTIPLAYER_PIANO: ".json",\n',
        '    SheetCategory.RESTS: ".rest",\n',
    )
    tree.check("""
        import asyncio
        from aiohttp import FormData
        from tests.rest.api import open_api
        from tests.rest.sheets import uploaded
        from tests.server import make_config, running_server
        import os
        from pathlib import Path

        async def main():
            async with running_server(make_config(Path(os.environ["DATA"]) / "data")) as server:
                async with open_api(server) as api:
                    sheet = await uploaded(api, await api.register(), b"rests: 4'33")
                    assert (sheet["category"], sheet["title"]) == ("rests", "4'33")
                    download = await api.download(sheet["url"])
                    assert ".rest" in download.headers["Content-Disposition"]

        asyncio.run(main())
    """)


@recipe("what a worker process can do")
def worker_job(tree: Tree) -> None:
    job = '''"""Files counted."""

from typing import BinaryIO

from msgspec import Struct

__all__ = ["Counted", "count"]


class Counted(Struct):
    """How many bytes there were."""

    size: int


def count(source: BinaryIO, output: BinaryIO) -> Counted:
    """The bytes of a file, counted."""
    return Counted(len(source.read()))
'''
    tree.write("rhythmd/sheets/counting.py", job)
    tree.after("rhythmd/workers/pool.py", "JOBS: Final = {\n", '    "count": "rhythmd.sheets.counting:count",\n')
    tree.check("""
        import asyncio, tempfile
        from rhythmd.config import WorkersConfig
        from rhythmd.sheets.counting import Counted
        from rhythmd.workers.pool import WorkerPool

        async def main():
            pool = WorkerPool(WorkersConfig())
            with tempfile.TemporaryFile() as source, tempfile.TemporaryFile() as output:
                source.write(b"12345")
                source.flush()
                assert (await pool.run("count", source, output, Counted)).size == 5
            await pool.close()

        asyncio.run(main())
    """)
