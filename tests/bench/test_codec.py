"""The bench of the codecs: what it compares, not how long it takes."""

from argparse import ArgumentParser, Namespace

from bench.commands import codec
from bench.report import Report


def arguments(*words: str) -> Namespace:
    parser = ArgumentParser()
    codec.add_arguments(parser)
    return parser.parse_args(words)


def brief_report() -> Report:
    return codec.run(arguments("--rounds", "1", "--repeats", "1"))


def test_report_has_a_row_for_each_message_in_both_encodings() -> None:
    for table in brief_report().tables:
        names = [row[0] for row in table.rows]
        assert len(set(names)) == len(names) >= 10
        assert {name.removesuffix(", msgpack") for name in names if name.endswith("msgpack")} == {
            name.removesuffix(", JSON") for name in names if name.endswith("JSON")
        }


def test_target_is_missed_when_the_servers_codec_is_slower() -> None:
    slow = codec.Cost("a", 1, 2.0, 1.0, 2.0)
    fast = codec.Cost("b", 1, 1.0, 2.0, 0.5)
    assert not codec.target("reading", [slow, slow, fast]).held
    assert codec.target("reading", [slow, fast, fast]).held


def test_compare_measures_both_in_each_round() -> None:
    done: list[str] = []
    cost = codec.compare(
        "a",
        7,
        lambda: done.append("server"),
        lambda: done.append("client"),
        arguments("--rounds", "3", "--repeats", "2"),
    )
    assert done == ["server", "server", "client", "client"] * 3
    assert (cost.what, cost.size) == ("a", 7)
