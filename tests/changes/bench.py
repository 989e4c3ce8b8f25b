"""Changes of the benchmarks."""

from tests.changes.tree import Tree, recipe

__all__: list[str] = []


@recipe("a fault of the network")
def fault(tree: Tree) -> None:
    path = "bench/faults/catalogue.py"
    tree.after(path, '    "none": Fault(),\n', '    "a second": _both(Conditions(delay_s=1.0), stall),\n')
    tree.check("""
        from bench.faults.catalogue import FAULTS, stall
        assert FAULTS["a second"].act is stall and FAULTS["a second"].down.delay_s == 1.0
    """)


@recipe("a benchmark")
def benchmark(tree: Tree) -> None:
    module = '''"""How fast nothing is."""

from bench.report import Report, Target

HELP = "how fast nothing is"


def add_arguments(parser):
    parser.add_argument("--times", type=int, default=1)


def run(arguments):
    target = Target("nothing", "at once", "at once", True)
    return Report(command="nothing", title="Nothing", conditions={}, tables=[], targets=[target], remarks=[])
'''
    tree.write("bench/commands/nothing.py", module)
    tree.after("bench/cli.py", "    latency,\n", "    nothing,\n")
    row = '    "nothing": Command(nothing.HELP, nothing.add_arguments, nothing.run),\n'
    tree.before("bench/cli.py", '    "compare": Command(', row)
    for page, mark in (("README.md", "# "), ("bench/README.md", "")):
        tree.before(page, "    python -m bench codec ", f"    python -m bench nothing     {mark}how fast nothing is\n")
    tree.check("""
        from bench.cli import main
        from tests.changes.probes import DATA
        assert main(["--results", str(DATA), "nothing", "--times", "3"]) == 0
    """)


@recipe("an attack, or an honest load")
def attack(tree: Tree) -> None:
    path = "bench/abuse/noise.py"
    strike = '''async def _politely(attacker: Attacker) -> None:
    """A request, and one more, as soon as it is answered."""

    async def one(_number: int) -> None:
        line = await attacker.line(request("GET", "/"))
        line.leave()

    await attacker.everywhere(one, 2)


'''
    tree.before(path, "ATTACKS: Final[dict[str, Attack]] = {\n", strike)
    tree.before(path, '    "no HTTP": Attack(', '    "politeness": Attack("the page, again and again", _politely),\n')
    path = "bench/honest/meeting.py"
    act = """async def _look(stage: Stage) -> None:
    await stage.browser(_SCHOOL).load()


"""
    tree.before(path, "LOADS: Final = {\n", act)
    tree.after(path, "LOADS: Final = {\n", '    "a look": Load("somebody opens the page", _look),\n')
    tree.check("""
        import asyncio
        from time import monotonic
        from bench.abuse.spec import AttackSpec, Timing
        from bench.abuse.striking import strike
        from bench.honest.run import go_well
        from bench.options import Cores
        from bench.servers import RHYTHMD, running
        with running(RHYTHMD) as server:
            spec = AttackSpec("politeness", server.host, server.port, 1)
            assert asyncio.run(strike(spec, Timing(monotonic(), monotonic() + 0.2))).opened
        outcome = go_well("a look", 1.0, Cores(None, None))
        assert (outcome.refused, outcome.hindrances) == ({}, {})
    """)
