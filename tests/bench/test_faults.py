from collections import Counter

from bench.commands.faults import Outcome, table_of, targets_of
from bench.faults.picture import KEY, PEDAL, Held, Picture
from bench.faults.stage import Tally
from rhythm_protocol.messages import SlotState

MIB = 1 << 20


def outcome(tally: Tally, growth: int = MIB) -> Outcome:
    tally.recoveries.append(0.25)
    return Outcome("reset", tally, 60 * MIB, 60 * MIB + growth)


def failing(tally: Tally, growth: int = MIB) -> list[str]:
    return [target.what for target in targets_of([outcome(Tally(6)), outcome(tally, growth)]) if not target.held]


def test_targets_of_a_clean_run_are_held() -> None:
    assert failing(Tally(6, events=100, lines=10, returns=Counter(whole=3))) == []


def test_targets_fail_with_one_of_what_must_not_be() -> None:
    assert failing(Tally(6, lost=1)) == ["control messages lost"]
    assert failing(Tally(6, repeated=1)) == ["control messages repeated or out of order"]
    assert failing(Tally(6, stuck=1)) == ["stuck notes"]
    assert failing(Tally(6, silent=1)) == ["missing notes"]
    assert failing(Tally(6, doubled=1)) == ["doubled notes"]
    assert failing(Tally(6, returns=Counter(lost=1))) == ["sessions that did not resume"]
    assert failing(Tally(6), growth=20 * MIB) == ["growth of the server's memory"]


def test_table_has_a_row_for_each_fault() -> None:
    (row,) = table_of([outcome(Tally(6, events=1_000, returns=Counter(whole=2, broken=1)))]).rows
    assert row == ["reset", "6", "1,000", *"000000", "3", "0", "250 ms", "60.0 MiB", "61.0 MiB"]


def test_picture_counts_a_press_of_a_key_that_is_down() -> None:
    picture = Picture()
    for status, velocity in ((0x90, 100), (0x90, 90), (0x80, 0), (0x90, 100), (0x90, 0)):
        picture.play(1, status, 60, velocity)
    assert (picture.held, picture.doubled) == (set(), 1)


def test_picture_takes_a_snapshot_in_place_of_all_that_it_knew() -> None:
    picture = Picture()
    picture.play(1, 0x90, 60, 100)
    picture.replace([SlotState(2, [(0xB0, 64, 127), (0x91, 62, 100)])])
    assert picture.held == {Held(2, 0, PEDAL, 64), Held(2, 1, KEY, 62)}
    assert picture.doubled == 0


def test_picture_knows_the_messages_that_release_a_channel() -> None:
    picture = Picture()
    for message in ((0x90, 60, 1), (0xB0, 64, 127), (0x91, 60, 1), (0xB0, 123, 0), (0xB0, 121, 0)):
        picture.play(1, *message)
    assert picture.held == {Held(1, 1, KEY, 60)}
