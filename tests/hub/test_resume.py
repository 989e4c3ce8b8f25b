"""Coming back after a lost connection, over real sockets."""

import msgspec
import pytest

from rhythm_protocol.control import SUBPROTOCOL_BINARY, SUBPROTOCOL_JSON
from rhythm_protocol.messages import ChatLine, JoinAck, Notes, ResumeAck, UserJoined, UserLeft, UserUpdated
from rhythm_protocol.midi import MidiEvent
from rhythmd.app import Server
from tests.client import Answer, Client, Connect, Music, note_on
from tests.hub.synthesizer import Synthesizer
from tests.metrics import until_connections
from tests.server import Serve

PEDAL = MidiEvent(0, 0xB0, 64, 127)


async def say(client: Client, *lines: str) -> None:
    for line in lines:
        await client.ask("chat-message", {"content": line})


async def resume(client: Client, lost: Client, received: int) -> ResumeAck:
    data = await client.ask("resume", {"session": lost.welcome.session, "received": received})
    return msgspec.convert(data, ResumeAck)


async def away(client: Client, witness: Client) -> None:
    """`client` loses its connection, and `witness` knows."""
    client.abort()
    assert (await witness.expect(UserUpdated)).user.reconnecting


@pytest.fixture
async def clara(server: Server, connect: Connect, subprotocol: str) -> Client:
    client = await connect(server, subprotocol)
    await client.join("Salon")
    return client


@pytest.fixture
async def robert(server: Server, connect: Connect, clara: Client) -> Client:
    client = await connect(server)
    await client.join("Salon")
    await clara.expect(UserJoined)
    return client


async def test_resume_brings_slot_rights_and_what_was_missed_in_order(
    server: Server, connect: Connect, clara: Client, robert: Client, subprotocol: str
) -> None:
    await say(robert, "one", "two")
    for _ in range(2):
        await clara.expect(ChatLine)
    await away(clara, robert)
    await say(robert, "three", "four")
    back = await connect(server, subprotocol)
    ack = await resume(back, clara, 4)  # the ack of the join, Robert, two lines
    assert (ack.recovered, ack.session, ack.join) == (True, clara.welcome.session, None)
    assert (ack.user.id, ack.user.slot) == (clara.welcome.user.id, clara.slot)
    missed = [await back.expect(object) for _ in range(ack.missed)]
    assert [line.content for line in missed if isinstance(line, ChatLine)] == ["three", "four"]
    await back.expect(Notes)
    assert not (await robert.expect(UserUpdated)).user.reconnecting
    await back.ask("room-update", {"settings": {"stage": "church"}})  # she owns it still


async def test_resume_in_the_other_encoding_brings_the_same(
    server: Server, connect: Connect, clara: Client, robert: Client, subprotocol: str
) -> None:
    await away(clara, robert)
    await say(robert, '\N{MUSICAL SYMBOL G CLEF} "three"', "four" * 90)
    other = SUBPROTOCOL_JSON if subprotocol == SUBPROTOCOL_BINARY else SUBPROTOCOL_BINARY
    back = await connect(server, other)
    ack = await resume(back, clara, 2)  # the ack of the join, Robert
    assert (ack.recovered, ack.missed) == (True, 3)  # that she is away, too
    lines = [(await back.expect(ChatLine)).content for _ in range(2)]
    assert lines == ['\N{MUSICAL SYMBOL G CLEF} "three"', "four" * 90]


async def test_resume_of_one_that_got_nothing_brings_everything(
    server: Server, connect: Connect, clara: Client, robert: Client, subprotocol: str
) -> None:
    await away(clara, robert)
    back = await connect(server, subprotocol)
    ack = await resume(back, clara, 0)
    assert ack.recovered
    joined = await back.expect(Answer)
    assert msgspec.convert(joined.data, JoinAck).slot == clara.slot
    assert isinstance(await back.expect(object), UserJoined)


async def test_music_comes_back_as_a_snapshot(
    server: Server, connect: Connect, clara: Client, robert: Client, subprotocol: str
) -> None:
    await robert.play([note_on(60), PEDAL])
    await clara.events(2)
    await away(clara, robert)
    await robert.play([note_on(64)])
    await robert.clock()
    back = await connect(server, subprotocol)
    await resume(back, clara, 2)
    (state,) = (await back.expect(Notes)).notes
    heard, expected = Synthesizer(), Synthesizer()
    heard.play(state.state)
    expected.hear([note_on(60), PEDAL, note_on(64)])
    assert (state.slot, heard.state) == (robert.slot, expected.state)
    await robert.play([note_on(67)])
    assert await back.events(1) == [(robert.slot, note_on(67))]


async def test_who_is_away_is_released_at_once(clara: Client, robert: Client) -> None:
    await clara.play([note_on(60), PEDAL])
    await robert.events(2)
    await away(clara, robert)
    sound = Synthesizer()
    sound.hear([note_on(60), PEDAL])
    sound.hear(event for _, event in await robert.events(2))
    assert not sound.rings


async def test_newer_of_two_claims_wins(
    server: Server, connect: Connect, clara: Client, robert: Client, subprotocol: str
) -> None:
    second, third = await connect(server, subprotocol), await connect(server, subprotocol)
    assert (await resume(second, clara, 2)).recovered
    assert (await clara.closed()).code == 4006
    assert (await resume(third, clara, 2)).recovered
    assert (await second.closed()).code == 4006
    await say(robert, "who is it?")
    assert (await third.expect(ChatLine)).content == "who is it?"


async def test_half_open_socket_gives_way_to_the_new_one(server: Server, connect: Connect, clara: Client) -> None:
    back = await connect(server)
    ack = await resume(back, clara, 1)
    assert (ack.recovered, ack.user.slot) == (True, clara.slot)
    assert (await (await connect(server)).join("Salon")).room.players == 2


async def test_count_that_cannot_be_gets_the_whole_room(
    server: Server, connect: Connect, clara: Client, robert: Client
) -> None:
    await say(robert, "one")
    await away(clara, robert)
    back = await connect(server)
    ack = await resume(back, clara, 1_000)
    assert (ack.recovered, ack.missed) == (False, 0)
    assert ack.join is not None
    assert ack.join.slot == clara.slot
    assert {user.id for user in ack.join.members} == {clara.welcome.user.id, robert.welcome.user.id}
    assert [line.content for line in ack.join.chat] == ["one"]
    await back.expect(Notes)
    await say(robert, "two")
    assert (await back.expect(ChatLine)).content == "two"


async def test_more_than_is_kept_gets_the_whole_room(serve: Serve, connect: Connect) -> None:
    server = await serve("hub.resume_messages=3")
    clara, robert = await connect(server), await connect(server)
    for client in (clara, robert):
        await client.join("Salon")
    await away(clara, robert)
    await say(robert, *"abcd")
    ack = await resume(await connect(server), clara, 2)
    assert not ack.recovered


@pytest.mark.parametrize("token", ["", "no-such-session", "x" * 64])
async def test_unknown_session_is_refused_and_the_new_one_goes_on(server: Server, connect: Connect, token: str) -> None:
    client = await connect(server)
    error = await client.refused("resume", {"session": token, "received": 0})
    assert error.code == ("session-not-found" if token else "invalid-field")
    assert (await client.join("Salon")).slot == 1


async def test_own_session_cannot_be_resumed(server: Server, connect: Connect) -> None:
    client = await connect(server)
    error = await client.refused("resume", {"session": client.welcome.session, "received": 0})
    assert error.code == "session-not-found"


async def test_resume_in_a_room_is_refused(server: Server, connect: Connect, clara: Client) -> None:
    other = await connect(server)
    await other.join("Attic")
    error = await other.refused("resume", {"session": clara.welcome.session, "received": 0})
    assert error.code == "already-in-room"


async def test_who_says_goodbye_leaves_at_once(server: Server, connect: Connect, clara: Client, robert: Client) -> None:
    await clara.close()
    assert (await robert.expect(UserLeft)).reason == "left"
    back = await connect(server)
    error = await back.refused("resume", {"session": clara.welcome.session, "received": 0})
    assert error.code == "session-not-found"


async def test_place_is_free_when_nobody_comes_back(serve: Serve, connect: Connect) -> None:
    server = await serve("hub.resume_s=0.1")
    clara, robert = await connect(server), await connect(server)
    for client in (clara, robert):
        await client.join("Salon")
    clara.abort()
    left = await robert.expect(UserLeft)
    assert (left.slot, left.reason) == (clara.slot, "lost")


async def test_kicked_while_away_is_told(
    server: Server, connect: Connect, clara: Client, robert: Client, subprotocol: str
) -> None:
    robert.abort()
    await clara.expect(UserUpdated)
    await clara.ask("kick", {"user": robert.welcome.user.id, "reason": "asleep"})
    back = await connect(server, subprotocol)
    ack = await resume(back, robert, 1)
    kinds = [type(await back.expect(object)).__name__ for _ in range(ack.missed)]
    assert kinds[-1] == "RoomLeft"
    assert (await back.refused("leave-room")).code == "not-in-room"


async def test_away_sessions_are_bounded(serve: Serve, connect: Connect) -> None:
    server = await serve("limits.connections=3")
    witness = await connect(server)
    await witness.join("Salon")
    lost: list[Client] = []
    for _ in range(4):
        client = await connect(server)
        await client.join("Salon")
        await away(client, witness)
        await until_connections(server, 1)
        lost.append(client)
    left = await witness.expect(UserLeft)
    assert left.slot == lost[0].slot
    back = await connect(server)
    assert (await resume(back, lost[-1], 1)).recovered


async def test_answer_that_was_not_heard_is_among_what_was_missed(
    server: Server, connect: Connect, clara: Client, robert: Client, subprotocol: str
) -> None:
    await clara.send("chat-message", {"content": "did you hear me?"}, 77)
    await robert.expect(ChatLine)
    await away(clara, robert)
    back = await connect(server, subprotocol)
    ack = await resume(back, clara, 2)
    missed = [await back.expect(object) for _ in range(ack.missed)]
    assert [answer.id for answer in missed if isinstance(answer, Answer)] == [77]
    assert Music not in map(type, missed)
