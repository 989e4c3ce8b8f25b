"""Attacks at a small scale: what is reported of them, and that each can begin. No time is looked at."""

import asyncio
import signal
from collections import Counter
from pathlib import Path
from random import Random
from time import monotonic

import numpy as np
import pytest

from bench.abuse.attacker import Attacker
from bench.abuse.catalogue import ATTACKS, NOTHING
from bench.abuse.run import Outcome, Plan, suffer
from bench.abuse.spec import AttackResult, AttackSpec, PhaseResult, PlayersResult, Timing
from bench.abuse.striking import attack, strike
from bench.abuse.visitor import ERRANDS, Visitor
from bench.abuse.wire import Tally
from bench.cli import main
from bench.commands import abuse
from bench.commands.abuse import Bounds, bounds_of, excess, table_of, targets_of, verdict
from bench.honest.doings import Room
from bench.honest.music import notes, perform, saying
from bench.honest.people import Person
from bench.options import Cores
from bench.servers import RHYTHMD, Running, running
from bench.statistics import Summary, summarise
from bench.system import raise_open_files
from rhythm_protocol.midi import NOTE_ON, MidiEvent

MIB = 1 << 20
SHORT = Plan(quiet=0.3, seconds=1.0, after=0.3, attackers=2, rate=20.0)


def summary(*milliseconds: float) -> Summary:
    return summarise(np.array(milliseconds) / 1e3)


def outcome(
    name: str = "typing", *, worst: float = 5.0, after: float = 5.0, lost: int = 0, left: int = MIB, refused: int = 0
) -> Outcome:
    def phase(latest: float, lost: int = 0, refused: int = 0) -> PhaseResult:
        turned_away = {"room-limit": refused} if refused else {}
        return PhaseResult(summary(1.0, latest), summary(1.0), lost, summary(2.0), turned_away)

    phases = {"quiet": phase(1.0), "attack": phase(worst, lost, refused), "after": phase(after)}
    players = PlayersResult(phases, summary(0.1), {})
    result = AttackResult(50, 1_000, 2_000, {"HTTP 429": 7, "closed 4002": 9})
    return Outcome(name, players, result, 60 * MIB, 70 * MIB, 60 * MIB + left, 0.0, 0.5, 2_000, MIB)


def for_a_moment() -> Timing:
    now = monotonic()
    return Timing(now, now + 0.5)


@pytest.mark.parametrize(
    ("name", "expected"), [("bad messages", "error malformed-message"), ("missing paths", "HTTP 404")]
)
def test_attack_runs_beside_players_and_says_what_became_of_both(name: str, expected: str) -> None:
    found = suffer(name, SHORT, Cores(None, None))
    assert found.players.phases.keys() == {"quiet", "attack", "after"}
    assert all(phase.notes.count and phase.clock.count for phase in found.players.phases.values())
    assert found.attack.opened >= 2
    assert found.attack.sent > 0
    assert found.attack.fates[expected] > 0
    assert found.before > 0
    assert found.peak >= found.before


async def test_attackers_come_from_addresses_of_their_own() -> None:
    with running(RHYTHMD, ["limits.connections_per_address=3", "limits.http_connections=12"]) as server:
        result = await strike(AttackSpec("list of rooms", server.host, server.port, 2), for_a_moment())
        closing = await strike(AttackSpec("close and come back", server.host, server.port, 1), for_a_moment())
        assert server.log is not None
        log = server.log.read_text()
    assert result.fates["HTTP 200"] > 0
    assert result.fates["HTTP 503"] > 0
    assert "203.0.113.1" in log
    assert closing.fates["closed 1000"] > 0


async def strike_with_everything(server: Running, seconds: float) -> Tally:
    """Every attack of the catalogue at once, each from an address of its own."""
    end, tally = monotonic() + seconds, Tally()
    attackers = [Attacker(server.host, server.port, n, tally, end, Random(n)) for n in range(len(ATTACKS))]
    async with asyncio.TaskGroup() as tasks:
        for attacker, name in zip(attackers, ATTACKS, strict=True):
            tasks.create_task(attack(attacker, name, tally))
    return tally


async def test_players_of_another_room_lose_nothing_to_all_attacks_at_once() -> None:
    """Each note arrives, what is said arrives in order, newcomers come in, and the server has nothing to log."""
    raise_open_files()
    room = Room("quiet corner", {"max_players": 2, "type": "unlisted"})
    with running(RHYTHMD) as server:
        players = [await Person.arrive(server.host, server.port, f"198.51.100.{number}") for number in (1, 2)]
        for player in players:
            await player.enter(room)
        said = [f"line {number}" for number in range(10)]
        turns = [saying(number / 5, 0, "chat-message", {"content": line}) for number, line in enumerate(said)]
        turns += [notes(number / 20, number % 2, [MidiEvent(0, NOTE_ON, 60, 1 + number)]) for number in range(40)]
        heard, tally = await asyncio.gather(perform(players, turns), strike_with_everything(server, 2.0))
        await players[0].ask("chat-message", {"content": "/help"})
        await Visitor(server.host, server.port, "lobby").find_lobby()
        assert server.log is not None
        log = server.log.read_text()
        for player in players:
            player.close()
    assert tally.opened > len(ATTACKS)
    assert (heard.arrived, heard.expected) == (40, 40)
    assert players[1].lines == said
    assert [dict(player.errors) for player in players] == [{}, {}]
    assert "Traceback" not in log, log[log.find("Traceback") :][:2_000]


def test_bounds_stand_above_what_the_machine_alone_does() -> None:
    alone = [outcome(NOTHING, worst=3.0), outcome(NOTHING, worst=7.0)]
    assert bounds_of(1, alone) == Bounds(27.0, 107.0)
    assert bounds_of(10, alone) == Bounds(57.0, None)


def test_excess_names_what_is_over() -> None:
    bounds = Bounds(20.0, 100.0)
    assert excess(outcome(), bounds) == []
    assert excess(outcome(worst=30.0), bounds) == ["p99 30.00 ms"]
    assert excess(outcome(worst=101.0), bounds) == ["p99 101 ms", "latest note 101 ms"]
    assert excess(outcome(after=101.0), bounds) == ["latest note 101 ms"]
    assert excess(outcome(lost=3), bounds) == ["3 lost"]
    assert excess(outcome(refused=2), bounds) == ["2 visitors turned away"]
    assert excess(outcome(left=20 * MIB), bounds) == ["20 MiB left"]
    assert excess(outcome(after=101.0), Bounds(50.0, None)) == []


def test_targets_have_a_row_for_each_attack_and_the_table_one_for_each_run() -> None:
    outcomes = [outcome(NOTHING), outcome(worst=30.0), outcome("chat"), outcome(NOTHING)]
    assert [(target.what, target.held) for target in targets_of(1, outcomes)] == [("typing", False), ("chat", True)]
    table = table_of(1, outcomes)
    assert len(table.rows) == 4
    assert {len(row) for row in table.rows} == {len(table.columns)}
    assert table.rows[1][-1] == "50 opened, 9 x closed 4002, 7 x HTTP 429"


def test_verdict_names_the_attacks_that_are_over_and_in_what() -> None:
    assert verdict(targets_of(1, [outcome(worst=30.0), outcome("chat", lost=2), outcome("whispers")])) == (
        "Over the bounds: typing (p99 30.00 ms); chat (2 lost)."
    )
    assert verdict(targets_of(1, [outcome("chat")])) == "None of 1 attacks was over its bounds."


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_run_that_is_cut_off_shows_what_it_has_and_does_not_hold(
    number: signal.Signals, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    order = list(ATTACKS)
    first, runs = order[-3], [NOTHING, *order[-3:], NOTHING]
    asked: list[str] = []

    def suffer_until_the_third(name: str, _plan: Plan, _cores: Cores) -> Outcome:
        asked.append(name)
        if len(asked) == 3:
            signal.raise_signal(number)
        return outcome(name)

    monkeypatch.setattr(abuse, "suffer", suffer_until_the_third)
    assert main(["--results", str(tmp_path), "abuse", "--from", first]) == 1
    printed = capsys.readouterr()
    assert asked == runs[:3]
    assert f"2 of 5  {first}" in printed.err
    assert f"\n{first} " in printed.out
    assert "Over the bounds: the run (cut off after 2)." in printed.out


def test_run_that_holds_all_its_bounds_ends_with_0(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(abuse, "suffer", lambda name, _plan, _cores: outcome(name))
    assert main(["--results", str(tmp_path), "abuse", "--only", "typing", "chat"]) == 0
    assert "None of 2 attacks was over its bounds." in capsys.readouterr().out
    worst = {NOTHING: 5.0, "typing": 200.0, "chat": 5.0}
    monkeypatch.setattr(abuse, "suffer", lambda name, _plan, _cores: outcome(name, worst=worst[name]))
    assert main(["--results", str(tmp_path), "abuse", "--only", "typing", "chat"]) == 1


def test_list_names_every_attack_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--results", str(tmp_path), "abuse", "--list"]) == 0
    printed = capsys.readouterr().out
    assert all(f"\n{name} " in printed and row.what in printed for name, row in ATTACKS.items() if name != NOTHING)


def test_rows_of_the_catalogue_are_whole() -> None:
    assert all(row.errand in ERRANDS and row.what for row in ATTACKS.values())
    assert [what for what, times in Counter(row.what for row in ATTACKS.values()).items() if times > 1] == []
