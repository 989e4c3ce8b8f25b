"""Changes around the hub: REST, stores, metrics, the operator's commands, the page."""

from typing import Final

from tests.changes.tree import Tree, recipe

__all__: list[str] = []

APP: Final = "rhythmd/app.py"
RUN: Final = """
import asyncio
import aiohttp
from tests.changes.probes import DATA
from tests.server import make_config, running_server

def fetch(path, *settings):
    async def get():
        async with running_server(make_config(DATA / "data", settings)) as server:
            async with aiohttp.ClientSession(server.url) as session, session.get(path) as response:
                return response.status, await response.text()
    return asyncio.run(get())
"""


@recipe("a REST endpoint")
def endpoint(tree: Tree) -> None:
    resource = "rhythmd/rest/resources/rooms.py"
    method = '''    async def busiest(self, _call: Call[Nothing]) -> RoomInfo:
        """The room with the most players."""
        return max((room.info() for room in self._registry), key=lambda room: room.players)

'''
    tree.before(resource, "    async def one(", method)
    row = """        Route(
            method="GET", path=f"{V1}/rooms/busiest", handler=rooms.busiest, input=Nothing, answer=RoomInfo,
        ),
"""
    tree.before("rhythmd/rest/table.py", '        Route(\n            method="GET", path=room, handler=rooms.one', row)
    tree.check(RUN, """
        import json
        status, text = fetch("/api/v1/rooms/busiest")
        assert status == 200 and json.loads(text)["name"] == "Lobby", text
        status, text = fetch("/api/v1/openapi.json")
        assert "The room with the most players" in str(json.loads(text)["paths"]["/api/v1/rooms/busiest"]), text
    """)  # fmt: skip


@recipe("a counter in the metrics")
def counter(tree: Tree) -> None:
    path = "rhythmd/telemetry.py"
    tree.after(path, '        "bytes_in",\n', '        "bows",\n')
    tree.after(path, "        self.bytes_in = 0\n", "        self.bows = 0\n")
    tree.before(path, '            ("throttled", ', '            ("bows", "Bows that were taken", stats.bows),\n')
    tree.check("""
        from prometheus_client import CollectorRegistry, generate_latest
        from rhythmd.telemetry import Stats, StatsCollector
        stats, registry = Stats(), CollectorRegistry()
        registry.register(StatsCollector(stats, {}))
        stats.bows += 3
        assert b"rhythmd_bows_total 3.0" in generate_latest(registry)
    """)


@recipe("a gauge of something live")
def gauge(tree: Tree) -> None:
    row = '            "lobbies": ("Lobbies", lambda: sum(room.name.startswith("Lobby") for room in hub.registry)),\n'
    tree.before(APP, '            "recordings": (', row)
    tree.check(RUN, 'assert "rhythmd_lobbies 1.0" in fetch("/metrics")[1]')


@recipe("a database")
def database(tree: Tree) -> None:
    adapter = '''"""A store of its own."""

from rhythmd.store.sqlite.store import SqliteStore

__all__ = ["OtherStore"]


class OtherStore(SqliteStore):
    """A `ports.Store` in another file."""
'''
    tree.write("rhythmd/store/other.py", adapter)
    choice = """    if config.store.backend == "other":
        return OtherStore(Path(config.server.data_dir) / "other.sqlite3", timeout_s=config.store.timeout_s)
"""
    tree.before(APP, "    from rhythmd.store.documents.store", choice)
    tree.before(APP, "from rhythmd.store.sqlite.store", "from rhythmd.store.other import OtherStore\n")
    tree.replace("rhythmd/config/sections.py", 'Literal["sqlite", "mongo"]', 'Literal["sqlite", "mongo", "other"]')
    tree.after("config.toml", "[store]\n", '# The backend "other" is a file, too.\n')
    contract = "tests/contracts/conftest.py"
    made = '    if driver == "other":\n        return OtherStore(directory / "store.other")\n'
    tree.before(contract, "    mongod: Mongod = ", made)
    tree.before(contract, "from rhythmd.store.sqlite", "from rhythmd.store.other import OtherStore\n")
    tree.replace(contract, 'params=["sqlite", ', 'params=["sqlite", "other", ')
    tree.check(RUN, """
        from tests.contracts.conftest import _make_store
        from rhythmd.store.other import OtherStore
        assert isinstance(_make_store("other", None, DATA), OtherStore)
        assert fetch("/health/ready", "store.backend=other")[0] == 200
        assert (DATA / "data" / "other.sqlite3").exists()
    """)  # fmt: skip


@recipe("a place for files")
def place_for_files(tree: Tree) -> None:
    adapter = '''"""Files in memory."""

__all__ = ["MemoryBlobs"]


class MemoryBlobs:
    """A `ports.BlobStore` that forgets all with the process."""

    def __init__(self) -> None:
        self._files = {}

    async def start(self):
        return False

    async def close(self):
        pass

    async def put(self, key, content, limit=None):
        self._files[key] = b"".join([part async for part in content])
        return len(self._files[key])

    async def get(self, key, start=0, stop=None):
        async def parts():
            yield self._files[key][start:stop]

        return parts()

    async def size(self, key):
        return len(self._files[key])

    async def delete(self, key):
        return self._files.pop(key, None) is not None

    async def keys(self, folder=""):
        for key in list(self._files):
            yield key
'''
    tree.write("rhythmd/store/blobs/memory.py", adapter)
    made = "        return DirectoryBlobs(Path(config.server.data_dir) / BLOBS_FOLDER)\n"
    choice = """    if config.blobs.backend == "memory":
        return MemoryBlobs()
"""
    tree.after(APP, made, choice)
    tree.after(
        APP,
        "from rhythmd.store.blobs.directory import DirectoryBlobs\n",
        "from rhythmd.store.blobs.memory import MemoryBlobs\n",
    )
    tree.replace("rhythmd/config/sections.py", 'Literal["directory", ', 'Literal["directory", "memory", ')
    tree.after("config.toml", "[blobs]\n", '# The backend "memory" forgets all with the process.\n')
    contract = "tests/contracts/test_blobs.py"
    tree.replace(contract, 'params=["directory", ', 'params=["directory", "memory", ')
    tree.check(RUN, """
        from rhythmd.store.blobs.memory import MemoryBlobs
        from tests.contracts.test_blobs import test_get_gives_back_what_was_put as held
        asyncio.run(held(MemoryBlobs(), 1_000))
        assert fetch("/health/live", "blobs.backend=memory")[0] == 200
    """)  # fmt: skip


@recipe("an operator's command")
def operator_command(tree: Tree) -> None:
    path = "rhythmd/admin.py"
    tree.replace("README.md", "| `rhythmd db check", "| `rhythmd db name\\|check")
    parser = '    shared.add(store, "name", "say which database it is", _name_store)\n'
    tree.after(path, ", _migrate)\n", parser)
    tree.append(path, "\n\nasync def _name_store(config, _options):\n    print(config.store.backend)\n    return 0\n")
    tree.check("""
        from rhythmd.cli import main
        from tests.changes.probes import DATA
        assert main(["db", "name", "--data", str(DATA)]) == 0
    """)


@recipe("what the page shows")
def page_module(tree: Tree) -> None:
    tree.write("rhythmd/web/bow.js", '/** Bows. */\n\nexport const bow = () => "bow";\n')
    app = "rhythmd/web/app.js"
    tree.before(app, 'import { Agenda } from "./agenda.js";', 'import { bow } from "./bow.js";\n')
    tree.append(app, "\nbow();\n")
    tree.check("""
        import asyncio
        from rhythmd.rest.resources.site import PageResource
        from aiohttp.test_utils import make_mocked_request
        from rhythmd.rest.serving.paths import VARIABLES
        page = PageResource()
        for name in ("bow.js", "app.js"):
            request = make_mocked_request("GET", "/")
            request[VARIABLES] = {"name": name}
            answer = asyncio.run(page.static(request))
            assert answer.status == 200 and b"bow" in answer.body, answer
    """)
