"""The bookkeeping of a client that resumes: the shared steps, and a server that keeps the same account."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from rhythm_protocol.messages import SERVER_MESSAGES, ResumeAck, User
from rhythm_protocol.resume import UNCOUNTED, SessionCounter
from tests.protocol.codecs import carry
from tests.protocol.vectors import Run, load_runs


def ack(session: str, recovered: bool) -> ResumeAck:
    return ResumeAck(User("u1", "Clara", "#8ecae6"), session, recovered, 0)


def known(counter: SessionCounter) -> dict[str, object]:
    resume = None if counter.resume is None else msgspec.to_builtins(counter.resume)
    return {"session": counter.session, "received": counter.received, "resume": resume}


@pytest.mark.parametrize("run", load_runs("resume"), ids=lambda run: run.name)
def test_counter_knows_what_the_shared_steps_say(run: Run) -> None:
    counter = SessionCounter()
    for step in run.steps:
        match step:
            case ["is", expected]:
                assert known(counter) == expected
            case ["welcomed", str(session)]:
                counter.welcomed(session)
            case ["heard", str(type_)]:
                counter.heard(type_)
            case ["resumed", str(session), bool(recovered)]:
                counter.resumed(ack(session, recovered))
            case ["refused"]:
                counter.refused()
            case ["forget"]:
                counter.forget()
            case _:
                pytest.fail(f"no such step: {step}")


TYPES = st.sampled_from(sorted(SERVER_MESSAGES))


@given(st.lists(st.tuples(st.lists(TYPES), st.lists(TYPES), st.integers(0, 10)), max_size=6))
def test_counted_messages_arrive_once_whatever_was_lost(sockets: list[tuple[list[str], list[str], int]]) -> None:
    """Per socket: what is sent in the session, what comes before the ack of the resume, how much arrives."""
    counter = SessionCounter()
    journal: list[str] = []
    received: list[str] = []
    for number, (sent, strange, arrives) in enumerate(sockets):
        counter.welcomed(f"s{number}")
        waiting = sent
        if counter.resume is not None:
            for type_ in strange:
                counter.heard(type_)
            waiting = journal[counter.resume.received :] + sent
            counter.resumed(ack(counter.resume.session, recovered=True))
        journal += [type_ for type_ in sent if type_ not in UNCOUNTED]
        for type_ in waiting[:arrives]:
            counter.heard(type_)
            received += [] if type_ in UNCOUNTED else [type_]
        assert counter.received == len(received)
        assert received == journal[: len(received)]
    assert counter.session == ("s0" if sockets else None)


def test_request_is_one_that_the_server_accepts() -> None:
    counter = SessionCounter()
    counter.welcomed("s1")
    counter.welcomed("s2")
    assert carry("rhythm.v1", "client", "resume", counter.resume) == counter.resume


def test_uncounted_types_are_messages_of_the_server() -> None:
    assert set(SERVER_MESSAGES) >= UNCOUNTED
