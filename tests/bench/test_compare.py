from bench.commands.compare import Comparison, cost_table, targets_of
from bench.servers import earlier
from tests.bench.results import load_result

LOW, MIDDLE, HIGH = 24_000, 96_000, 240_000


def test_cost_ratio_is_the_median_of_the_rounds_ratios() -> None:
    comparison = Comparison()
    for ours, theirs in ((5.0, 10.0), (20.0, 20.0), (6.0, 10.0)):
        comparison.add(LOW, "rhythmd", load_result(cost_us=ours))
        comparison.add(LOW, "bun", load_result(cost_us=theirs))
    assert round(comparison.cost_ratio(LOW, "bun"), 6) == 0.6


def test_targets_of_compare_only_with_who_was_there() -> None:
    comparison = Comparison()
    comparison.add(LOW, "rhythmd", load_result(cost_us=8.0))
    comparison.add(LOW, "websockets", load_result(cost_us=10.0))
    (target,) = targets_of(comparison)
    assert not target.held
    assert target.measured == "0.80"


def test_targets_of_a_baseline_want_little_growth_at_each_load() -> None:
    comparison = Comparison()
    for load, ours in ((LOW, 11.0), (HIGH, 11.5)):
        comparison.add(load, "rhythmd", load_result(cost_us=ours, delivered=load))
        comparison.add(load, earlier("v1"), load_result(cost_us=10.0, delivered=load))
    growth = [target for target in targets_of(comparison) if "rhythmd at v1" in target.what]
    assert [(target.measured, target.held) for target in growth] == [("1.10", True), ("1.15", False)]


def test_targets_of_middle_load_want_no_loss_and_a_lower_p99_than_node() -> None:
    comparison = Comparison()
    comparison.add(MIDDLE, "rhythmd", load_result(p99_ms=4.0, delivered=MIDDLE))
    comparison.add(MIDDLE, "node", load_result(p99_ms=6.0, delivered=MIDDLE))
    assert [target.held for target in targets_of(comparison)] == [True, True]


def test_targets_of_high_load_fail_with_one_note_missing() -> None:
    comparison = Comparison()
    comparison.add(HIGH, "rhythmd", load_result(delivered=HIGH, missing=1))
    assert [target.held for target in targets_of(comparison)] == [False]


def test_targets_of_high_load_fail_when_deliveries_queue_up() -> None:
    comparison = Comparison()
    comparison.add(HIGH, "rhythmd", load_result(delivered=HIGH * 9 // 10))
    assert [target.held for target in targets_of(comparison)] == [False]


def test_cost_table_has_a_row_for_each_server() -> None:
    comparison = Comparison()
    comparison.add(LOW, "rhythmd", load_result())
    comparison.add(LOW, "node", load_result(cost_us=20.0))
    assert [(row[0], row[2]) for row in cost_table(comparison, LOW).rows] == [("rhythmd", ""), ("Node ws", "0.50")]
