"""What a keeper of rooms has acknowledged is there after the server was killed, whichever keeper a room has."""

import asyncio
import signal
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, Final, Literal

import msgspec
import pytest

from rhythm_protocol.messages import JoinAck, ResumeAck
from rhythmd.app import LIVE_FOLDER
from rhythmd.hub.keeping.live_file import SavedSeat
from rhythmd.store.live import MappedLiveState
from tests.client import Client, open_client
from tests.deadline import within
from tests.faults.victims import Victims, running_victims
from tests.rest.api import UNLIMITED, Api, User, open_api

Kind = Literal["live file", "store"]

ROOM: Final = "Salon"
SECRET: Final = "open sesame"


class Stage:
    """A room with an owner and a guest in it, on servers that are killed one after the other.

    A guest owns a room that the live file keeps, somebody with an account one that the store keeps.

    Attributes:
        owner, guest: their present sockets.
    """

    def __init__(self, folder: Path, kind: Kind, stack: AsyncExitStack) -> None:
        self._folder = folder
        self._kind = kind
        self._stack = stack
        self._user: User | None = None
        self._victims: Victims
        self._sessions: tuple[str, str]
        self.owner: Client
        self.guest: Client

    async def open(self) -> None:
        self._victims = await self._stack.enter_async_context(running_victims(self._folder, UNLIMITED))
        await self._victims.start()
        if self._kind == "store":
            self._user = await self.register("clara")
        self.owner = await self._connect(self._user)
        await self.owner.join(ROOM)
        self.guest = await self._connect(None)
        await self.guest.join(ROOM)
        self._sessions = self.owner.welcome.session, self.guest.welcome.session

    async def _connect(self, user: User | None) -> Client:
        path = "/ws"
        if user is not None:
            path = await (await self.api()).socket_path(user.access_token)
        return await self._stack.enter_async_context(open_client(self._victims.port, path=path))

    async def stranger(self) -> Client:
        """Somebody who has not been there."""
        return await self._connect(None)

    async def register(self, usertag: str) -> User:
        """A new account."""
        return await (await self.api()).register(usertag)

    async def enter(self, user: User) -> Client:
        """A socket of `user`, in no room."""
        return await self._connect(user)

    async def api(self) -> Api:
        """Of the present server."""
        return await self._stack.enter_async_context(open_api(self._victims))

    async def stop(self, how: signal.Signals = signal.SIGKILL) -> None:
        """End the server, and wait until it is gone."""
        await self._victims.end(how)

    async def seat(self, client: Client) -> SavedSeat:
        """What a server that has ended left of the client's seat."""
        state = MappedLiveState(self._folder / "data" / LIVE_FOLDER, 1)
        await asyncio.to_thread(state.open)
        ((_, value),) = state.items(f"seat/{client.welcome.session}")
        state.close()
        return msgspec.msgpack.decode(value, type=SavedSeat)

    async def restart(self, how: signal.Signals = signal.SIGKILL) -> JoinAck:
        """End the server, start another one, and bring both clients back; the room as its owner finds it."""
        await self.stop(how)
        await self._victims.start()
        self.owner, self.guest = await self._connect(self._user), await self._connect(None)
        owner, guest = self._sessions
        ack = msgspec.convert(await self.owner.ask("resume", {"session": owner, "received": 1}), ResumeAck)
        await self.guest.answer("resume", {"session": guest, "received": 1})  # one that was put out has no seat
        assert ack.join is not None
        return ack.join


@pytest.fixture(params=["live file", "store"])
async def stage(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Stage]:
    async with AsyncExitStack() as stack:
        made = Stage(tmp_path, request.param, stack)
        await made.open()
        yield made


async def joins(client: Client, **options: Any) -> str | None:
    """Why `client` cannot join the room; None when it can, and has."""
    error = (await client.answer("join-room", {"room": ROOM, **options})).error
    return None if error is None else error.code


async def test_line_that_was_said(stage: Stage) -> None:
    await stage.guest.ask("chat-message", {"content": "good evening"})
    join = await stage.restart()
    assert [line.content for line in join.chat] == ["good evening"]
    await stage.guest.ask("chat-message", {"content": "again"})
    chat = (await stage.restart()).chat
    assert [line.content for line in chat] == ["good evening", "again"]
    assert chat[0].id < chat[1].id


async def test_chat_that_was_cleared(stage: Stage) -> None:
    await stage.guest.ask("chat-message", {"content": "good evening"})
    await stage.owner.ask("clear-chat")
    assert (await stage.restart()).chat == []


async def test_ban_that_was_given_and_ended(stage: Stage) -> None:
    banned = stage.guest.welcome.user.id
    await stage.owner.ask("ban", {"user": banned, "seconds": 3_600})
    await stage.restart()
    await stage.owner.ask("ban", {"user": banned, "seconds": 7_200})  # the id of one who is banned
    await stage.restart()
    await stage.owner.ask("unban", {"user": banned})
    await stage.restart()
    assert (await stage.owner.refused("unban", {"user": banned})).code == "user-not-found"


async def test_ban_that_was_given_another_end(stage: Stage) -> None:
    robert = await stage.register("robert")
    assert await joins(await stage.enter(robert)) is None
    for seconds in (1, 3_600):
        await stage.owner.ask("ban", {"user": robert.id, "seconds": seconds})
    await stage.restart()
    assert await joins(await stage.enter(robert)) == "banned"
    await stage.owner.ask("ban", {"user": robert.id, "seconds": 1})
    await stage.restart()
    await within(let_in(await stage.enter(robert)))


async def let_in(client: Client) -> None:
    """Return when the room is open to `client`, and has let them in."""
    while True:
        if await joins(client) is None:
            return
        await asyncio.sleep(0.1)  # more often would be flooding


async def test_settings_and_name_that_were_changed(stage: Stage) -> None:
    await stage.owner.ask("room-update", {"settings": {"stage": "cave", "only_owner_can_play": True}})
    join = await stage.restart()
    assert (join.room.settings.stage, join.room.settings.only_owner_can_play) == ("cave", True)
    await stage.owner.ask("room-update", {"settings": {"name": "Attic"}})
    join = await stage.restart()
    assert (join.room.name, join.room.settings.stage) == ("Attic", "cave")
    stranger = await stage.stranger()
    assert await joins(stranger) == "room-not-found"
    assert (await stranger.answer("join-room", {"room": "attic"})).error is None


async def test_password_that_was_set_changed_and_taken_away(stage: Stage) -> None:
    for password in (SECRET, "another one"):
        await stage.owner.ask("room-update", {"settings": {"password": password}})
        assert (await stage.restart()).room.has_password
        assert await joins(await stage.stranger()) == "wrong-password"
        assert await joins(await stage.stranger(), password="wrong") == "wrong-password"
        assert await joins(await stage.stranger(), password=password) is None
    await stage.owner.ask("room-update", {"settings": {"password": None}})
    assert not (await stage.restart()).room.has_password
    assert await joins(await stage.stranger()) is None


async def test_seat_that_was_taken_left_and_described(stage: Stage) -> None:
    await stage.owner.ask("user-update", {"name": "Clara", "status": "busy"})
    await stage.owner.ask("mute", {"user": stage.guest.welcome.user.id, "chat": True})
    slots = {stage.owner.slot, stage.guest.slot}
    join = await stage.restart()
    assert {user.slot for user in join.members} == slots
    assert [(user.name, user.status) for user in join.members if user.slot == join.slot] == [("Clara", "busy")]
    assert [user.chat_muted for user in join.members if user.slot != join.slot] == [True]
    await stage.guest.ask("leave-room")
    assert [user.slot for user in (await stage.restart()).members] == [join.slot]


async def test_mutes_that_were_set_and_taken_back(stage: Stage) -> None:
    guest = stage.guest.welcome.user.id
    for notes, chat in ((True, True), (False, True), (True, False)):
        await stage.owner.ask("mute", {"user": guest, "notes": notes, "chat": chat})
        members = {user.id: user for user in (await stage.restart()).members}
        assert (members[guest].notes_muted, members[guest].chat_muted) == (notes, chat)
    await stage.owner.ask("mute", {"user": guest, "notes": False})
    await stage.guest.ask("chat-message", {"content": "/mute_self"})
    assert (await stage.restart()).members[1].notes_muted


async def test_login_that_was_renewed(stage: Stage) -> None:
    robert = await stage.register("robert")
    socket = await stage.enter(robert)
    await socket.join(ROOM)
    newer = await (await stage.api()).login("robert")
    await socket.ask("authenticate", {"token": newer.access_token})
    await stage.stop()
    identity = (await stage.seat(socket)).identity
    assert identity is not None
    assert (identity.user_id, identity.login_id) == (robert.id, newer.session)


async def test_all_of_it_after_a_clean_stop(stage: Stage) -> None:
    owner, guest = stage.owner.welcome.user.id, stage.guest.welcome.user.id
    await stage.owner.ask("chat-message", {"content": "good evening"})
    await stage.owner.ask("room-update", {"settings": {"name": "Attic", "stage": "cave", "password": SECRET}})
    await stage.owner.ask("metronome", {"running": True, "bpm": 90})
    await stage.owner.ask("mute", {"user": guest, "chat": True})
    join = await stage.restart(signal.SIGTERM)
    room = join.room
    assert (room.name, room.settings.stage, room.has_password, room.players) == ("Attic", "cave", True, 2)
    assert room.metronome is not None
    assert [line.content for line in join.chat] == ["good evening"]
    assert [user.chat_muted for user in join.members] == [False, True]
    await stage.owner.ask("ban", {"user": guest})
    await stage.owner.ask("clear-chat")
    join = await stage.restart(signal.SIGTERM)
    assert ([user.id for user in join.members], join.chat) == ([owner], [])
    await stage.owner.ask("unban", {"user": guest})


async def test_metronome_that_was_started(stage: Stage) -> None:
    await stage.owner.ask("metronome", {"running": True, "bpm": 90})
    metronome = (await stage.restart()).room.metronome
    assert metronome is not None
    assert metronome.bpm == 90


async def test_ownership_that_was_passed_on_or_not(stage: Stage) -> None:
    guest = stage.guest.welcome.user.id
    answer = await stage.owner.answer("transfer-owner", {"user": guest})
    owner = guest if answer.error is None else stage.owner.welcome.user.id
    assert (await stage.restart()).room.owner == owner
