"""Sessions that outlive their connections."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TypeVar

import pytest

from rhythm_protocol.close import ABNORMAL, RESTARTING, SILENT, SLOW, TAKEN_OVER, Close
from rhythm_protocol.errors import ErrorCode
from rhythm_protocol.messages import ChatKind, ChatLine, ResumeAck, Stopping
from rhythm_protocol.midi import MidiEvent
from rhythmd.client.errors import ConnectionEnded, RequestRefused, SessionLost
from rhythmd.client.session import Interrupted, Session, open_session
from tests.commands.stage import Stage
from tests.deadline import until, within

pytestmark = pytest.mark.usefixtures("impatient")

T = TypeVar("T")


@asynccontextmanager
async def asking(session: Session, type_: str) -> AsyncIterator[asyncio.Task[dict[str, object]]]:
    task = asyncio.create_task(session.ask(type_, {}))
    yield task
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def next_of(session: Session, kind: type[T]) -> T:
    while not isinstance(received := await within(session.receive()), kind):
        pass
    return received


async def texts(session: Session, count: int) -> list[str]:
    """The next lines of chat."""
    return [(await next_of(session, ChatLine)).content for _ in range(count)]


def said(id_: int) -> ChatLine:
    return ChatLine(id_, 0, ChatKind.TEXT, f"line {id_}")


@pytest.mark.parametrize("rule", [ABNORMAL, SILENT, SLOW, RESTARTING], ids=lambda rule: rule.name)
async def test_session_resumes_after_a_lost_connection(stage: Stage, rule: Close) -> None:
    async with open_session(stage.url) as session:
        await stage.send("chat-message", said(1))
        await texts(session, 1)
        await stage.drop(None if rule is ABNORMAL else rule.code)
        assert (await next_of(session, Interrupted)).trouble.rule is rule
        assert (await next_of(session, ResumeAck)).recovered
        assert [(resume.session, resume.received) for resume in stage.resumed] == [("s1", 1)]


async def test_session_gets_what_it_missed_once_and_in_order(stage: Stage) -> None:
    lines: list[str] = []
    async with open_session(stage.url) as session:
        for round_ in range(3):
            await stage.send("chat-message", said(2 * round_))
            await stage.drop()
            await stage.send("chat-message", said(2 * round_ + 1))
            lines += await texts(session, 2)
        assert lines == [f"line {id_}" for id_ in range(6)]
        assert (await within(session.ask("typing", {}))) == {}


async def test_ask_unanswered_is_asked_again_after_a_resume(stage: Stage) -> None:
    stage.answers = False
    async with (
        open_session(stage.url) as session,
        asking(session, "first") as first,
        asking(session, "second") as second,
    ):
        await stage.was_asked("second")
        stage.answers = True
        await stage.drop()
        assert [await within(first), await within(second)] == [{}, {}]
        assert [envelope.type for envelope in stage.asked] == ["first", "second"] * 2


async def test_ask_answered_while_away_is_not_asked_again(stage: Stage) -> None:
    stage.answers = False
    async with open_session(stage.url) as session, asking(session, "first") as first:
        await stage.was_asked("first")
        await stage.drop()
        await stage.send("ack", {"done": 1}, stage.asked[0].id)
        assert await within(first) == {"done": 1}
        assert stage.count("first") == 1


async def test_ask_while_away_waits_for_the_resume(stage: Stage) -> None:
    async with open_session(stage.url) as session:
        await stage.drop()
        await next_of(session, Interrupted)
        assert await within(session.ask("first", {})) == {}
        assert stage.count("first") == 1


async def test_ask_whose_answer_was_lost_says_so(stage: Stage) -> None:
    stage.answers = stage.recovers = False
    async with open_session(stage.url) as session, asking(session, "first") as first:
        await stage.was_asked("first")
        await stage.drop()
        with pytest.raises(SessionLost):
            await within(first)
        stage.answers = True
        assert await within(session.ask("second", {})) == {}
        assert stage.count("first") == 1


async def test_ask_that_was_not_handled_before_a_restart_is_sent_again(stage: Stage) -> None:
    stage.answers = stage.recovers = False
    async with (
        open_session(stage.url) as session,
        asking(session, "first") as first,
        asking(session, "second") as second,
    ):
        await stage.was_asked("second")
        stage.last_id = stage.asked[0].id
        stage.answers = True
        await stage.drop()
        with pytest.raises(SessionLost):
            await within(first)
        assert await within(second) == {}
        assert (stage.count("first"), stage.count("second")) == (1, 2)


async def test_session_counts_anew_after_a_restart(stage: Stage) -> None:
    stage.recovers = False
    async with open_session(stage.url) as session:
        await stage.send("chat-message", said(1))
        await texts(session, 1)
        await stage.drop(RESTARTING.code)
        assert not (await next_of(session, ResumeAck)).recovered
        await stage.send("chat-message", said(2))
        await texts(session, 1)
        await stage.drop()
        await next_of(session, ResumeAck)
        assert [resume.received for resume in stage.resumed] == [1, 1]


async def test_session_that_is_over_is_told(stage: Stage) -> None:
    stage.over, stage.answers = True, False
    async with open_session(stage.url) as session, asking(session, "first") as first:
        await stage.was_asked("first")
        await stage.drop()
        with pytest.raises(SessionLost, match="too late"):
            await next_of(session, ResumeAck)
        with pytest.raises(SessionLost):
            await within(first)
        with pytest.raises(SessionLost):
            await session.ask("second", {})


async def test_session_refused_for_a_while_tries_again(stage: Stage) -> None:
    async with open_session(stage.url) as session:
        stage.refusals = [ErrorCode.UNAVAILABLE, ErrorCode.STOPPING]
        await stage.drop()
        await next_of(session, ResumeAck)
        assert [(resume.session, resume.received) for resume in stage.resumed] == [("s1", 0)] * 3


async def test_session_taken_over_does_not_come_back(stage: Stage) -> None:
    async with open_session(stage.url) as session:
        await stage.drop(TAKEN_OVER.code)
        with pytest.raises(ConnectionEnded) as end:
            await next_of(session, Interrupted)
        assert end.value.rule is TAKEN_OVER


async def test_session_comes_back_when_the_server_said(stage: Stage) -> None:
    async with open_session(stage.url) as session:
        await stage.send("stopping", Stopping(30))
        await stage.drop(RESTARTING.code)
        assert (await next_of(session, Interrupted)).wait_s == pytest.approx(0.03)
        await next_of(session, ResumeAck)


async def test_session_keeps_the_clock_of_a_server_that_went_on(stage: Stage) -> None:
    async with open_session(stage.url) as session:
        clock = session.clock
        await stage.drop()
        await next_of(session, ResumeAck)
        assert session.clock is clock


async def test_session_learns_another_clock_after_a_restart(stage: Stage) -> None:
    async with open_session(stage.url) as session:
        stage.ahead_us = -10_000_000
        await stage.drop()
        await next_of(session, ResumeAck)
        assert abs(session.clock.now_ms() - stage.now_ms) < 5_000


async def test_session_notices_a_server_that_fell_silent(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rhythmd.client.connection.CLOCK_INTERVAL_S", 0.01)
    monkeypatch.setattr("rhythmd.client.connection.SILENCE_S", 0.05)
    async with open_session(stage.url) as session:
        stage.stall()
        assert (await next_of(session, Interrupted)).trouble.rule is ABNORMAL
        await next_of(session, ResumeAck)


async def test_play_while_away_drops_the_notes(stage: Stage) -> None:
    async with open_session(stage.url) as session:
        await stage.drop()
        await next_of(session, Interrupted)
        assert not await session.play(0, [MidiEvent(0, 0x90, 60, 100)])
        await next_of(session, ResumeAck)
        await until(lambda: session.live, "the session is heard again")
        assert await session.play(0, [MidiEvent(0, 0x90, 62, 100)])
        await session.ask("typing", {})
        assert stage.messages == [(0x90, 62, 100)]


async def test_ask_refused_names_the_code(stage: Stage) -> None:
    stage.answers = False
    async with open_session(stage.url) as session, asking(session, "first") as first:
        await stage.was_asked("first")
        await stage.send("error", {"code": "not-owner", "message": "no"}, stage.asked[0].id)
        with pytest.raises(RequestRefused, match="not-owner"):
            await within(first)
