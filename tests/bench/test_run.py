"""Short real runs: they prove that everything arrives and is counted, and measure nothing."""

from pathlib import Path

import pytest

from bench.cli import main
from bench.load.process import LoadFailed, run_load
from bench.load.spec import LoadResult, LoadSpec, RoomLoad
from bench.peers import PEERS, PeerMissing
from bench.servers import RHYTHMD, running

CHORALE = Path(__file__).parents[2] / "bench" / "data" / "bach-chorale-bwv269.mid"
ROOMS = [RoomLoad("a", 3, 50.0, group="small"), RoomLoad("b", 2, 50.0, listeners=4, group="big")]


def play(server: str, rooms: list[RoomLoad]) -> LoadResult:
    with running(server) as up:
        return run_load(
            LoadSpec(up.host, up.port, up.dialect, rooms, seconds=0.5, warmup=0.1, server_pid=up.pid, label=server)
        )


def skip_unless_it_runs(server: str) -> None:
    """Node's and Bun's relays are tried where they are installed; a test installs nothing."""
    folder = PEERS[server].npm_folder if server in PEERS else None
    if folder is not None and not (folder / "node_modules").is_dir():
        pytest.skip(f"{server} is not installed: the bench does that at its first use")


@pytest.mark.parametrize("server", [RHYTHMD, *PEERS])
def test_run_load_counts_every_delivery_of_each_group(server: str) -> None:
    skip_unless_it_runs(server)
    result = play(server, ROOMS)
    small, big = result.groups["small"], result.groups["big"]
    assert (small.sent, small.expected) == (90, 180)
    assert (big.sent, big.expected) == (60, 300)
    for group in (small, big):
        assert group.delivered == group.expected
        assert (group.missing, group.repeated, group.unknown, group.out_of_order) == (0, 0, 0, 0)
    assert result.lateness.count == 150
    assert (result.errors, result.lost_connections) == ({}, 0)
    assert result.server_cpu is not None


def test_run_load_refused_by_the_server_fails() -> None:
    with running(RHYTHMD, ["rooms.max_players=2", "rooms.lobby_players=2"]) as up, pytest.raises(LoadFailed):
        run_load(LoadSpec(up.host, up.port, up.dialect, [RoomLoad("a", 3, 10.0)], seconds=0.5))


def test_running_a_peer_without_its_program_is_skipped_with_the_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(PeerMissing, match="Node ws skipped: no npm"), running("node"):
        pass


def test_main_latency_writes_a_report_and_holds_its_targets(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    load = ["--rooms", "1", "--players", "2", "--rate", "20", "--seconds", "0.5", "--warmup", "0.1"]
    assert main(["--results", str(tmp_path), "latency", *load]) == 0
    assert "nothing missing" in capsys.readouterr().out
    assert {path.suffix for path in tmp_path.iterdir()} == {".html", ".json"}
