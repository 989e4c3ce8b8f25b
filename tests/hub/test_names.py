"""Names of users and rooms on their ways in, over real sockets, and commands that name somebody."""

from typing import Final

import pytest

from rhythm_protocol.messages import RoomLeft, UserUpdated
from rhythmd.app import Server
from tests.client import Connect
from tests.hub.people import Person, Register

HIDING: Final = ("Clara\u200b", "\u3164", "\u202earalC", "Z\u0335\u0336\u0337", "\u2800", "\U000e0043lara")
LOBBIES: Final = ("Lobby", "Iobby", "l0bby 2", "lоbby", "ｌｏｂｂｙ-3", "Lobby  4", "lobby_2", "lobby.2", "lobby 2.",
    "lobby#2", "l o b b y", "1obby", "lóbby", "Lobby 🎹", "Lobby II", "🅻🅾🅱🅱🆈", "lobby ٢", "ȴobby")  # fmt: skip


@pytest.mark.parametrize("name", HIDING, ids=ascii)
async def test_name_that_hides_something_is_refused_on_every_way_in(
    server: Server, connect: Connect, subprotocol: str, name: str
) -> None:
    client = await connect(server, subprotocol)
    for type_, data, field in (
        ("user-update", {"name": name, "colour": "#000000"}, "name"),
        ("user-update", {"status_text": name}, "status_text"),
        ("join-room", {"room": name, "create": True}, "room"),
    ):
        error = await client.refused(type_, data)
        assert (error.code, error.field) == ("invalid-field", field), type_
    await client.join("Salon")
    error = await client.refused("room-update", {"settings": {"name": name}})
    assert (error.code, error.field) == ("invalid-field", "settings.name")
    for command in ("nickname", "status_text"):
        error = await client.refused("chat-message", {"content": f"/{command} {name}"})
        assert (error.code, error.field) == ("invalid-field", "content")
    await client.ask("user-update", {"status": "busy"})
    assert (await client.expect(UserUpdated)).user.colour == client.welcome.user.colour  # nothing was half done


async def test_names_of_any_script_and_emoji_are_taken(server: Server, connect: Connect) -> None:
    client = await connect(server)
    for number, name in enumerate(("Zoë 🎹", "می\u200cخواهم", "山田 太郎", "👩\u200d🎤", "محمّد")):
        assert (await client.join(name)).room.name == name, number
        await client.ask("user-update", {"name": name})
        assert (await client.expect(UserUpdated)).user.name == name


@pytest.mark.parametrize("name", LOBBIES, ids=ascii)
async def test_room_that_looks_like_a_lobby_is_refused(server: Server, connect: Connect, name: str) -> None:
    client = await connect(server)
    if name != "Lobby":  # this is the way to the lobby itself
        assert (await client.refused("join-room", {"room": name, "create": True})).code == "invalid-field"
    await client.join("Salon")
    assert (await client.refused("room-update", {"settings": {"name": name}})).code == "invalid-field"


async def test_rooms_that_look_alike_are_one_name(
    server: Server, connect: Connect, clara: Person, register: Register
) -> None:
    guest, kept, robert = await connect(server), await clara.open(), await (await register(server, "robert")).open()
    await guest.join("Salon 1")
    await kept.join("Attic")
    for client in (kept, robert, await connect(server)):
        for name in ("Salon l", "SaIon 1", "Sаlon 1"):
            error = await client.refused("join-room", {"room": name, "create": True})
            assert (error.code, error.field) == ("taken", "room"), name
    assert (await robert.refused("join-room", {"room": "Attіc", "create": True})).code == "taken"
    assert (await guest.refused("join-room", {"room": "Attіc", "create": True})).code == "taken"
    assert (await guest.refused("room-update", {"settings": {"name": "Attіc"}})).code == "taken"
    await kept.ask("leave-room")  # stored, and not live
    assert (await guest.refused("join-room", {"room": "Attіc", "create": True})).code == "taken"
    assert (await robert.refused("join-room", {"room": "Attіc", "create": True})).code == "taken"
    await guest.ask("room-update", {"settings": {"name": "SALON  1"}})  # its own name in other letters
    assert (await robert.join("salon 1")).room.name == "SALON 1"
    assert (await guest.refused("join-room", {"room": "Attіc"})).code == "room-not-found"


async def test_command_that_could_mean_two_says_so_and_takes_a_number_or_an_id(
    server: Server, connect: Connect
) -> None:
    owner, one, other = [await connect(server) for _ in range(3)]
    for client, name in ((owner, "Robert"), (one, "Clara"), (other, "Сlаrа")):
        await client.join("Salon")
        await client.ask("user-update", {"name": name})
    for type_, data in (
        ("kick", {"user": "clara"}),
        ("mute", {"user": "CIara", "notes": True}),
        ("transfer-owner", {"user": "Clara"}),
        ("chat-message", {"content": "/kick Clara"}),
        ("chat-message", {"content": "hello", "to": "Clara"}),
    ):
        error = await owner.refused(type_, data)
        assert (error.code, error.field) == ("ambiguous-user", "user"), type_
        for member in (one, other):
            assert f"#{member.slot} ({member.welcome.user.id})" in error.message
    assert (await owner.refused("kick", {"user": "#99"})).code == "user-not-found"
    await owner.ask("chat-message", {"content": f"/kick #{one.slot}"})
    assert (await one.expect(RoomLeft)).reason == "kicked"
    await owner.ask("kick", {"user": "Clara"})
    assert (await other.expect(RoomLeft)).reason == "kicked"


async def test_command_that_could_mean_two_who_differ_by_a_full_stop_says_so(server: Server, connect: Connect) -> None:
    owner, one, other = [await connect(server) for _ in range(3)]
    for client, name in ((owner, "Robert"), (one, "Clara"), (other, "Clara.")):
        await client.join("Salon of full stops")
        await client.ask("user-update", {"name": name})
    for name in ("Clara", "Clara.", "clara!", "c-lara"):
        assert (await owner.refused("kick", {"user": name})).code == "ambiguous-user"
    await owner.ask("kick", {"user": f"#{one.slot}"})
    error = await owner.refused("chat-message", {"content": "a secret", "to": "Clara"})  # of the other one it is none
    assert (error.code, f"#{other.slot} is Clara." in error.message) == ("user-not-found", True)
    await owner.ask("kick", {"user": "Clara."})


async def test_usertag_that_looks_like_another_is_taken(server: Server, register: Register) -> None:
    await register(server, "clara.1")
    for usertag in ("cIara.1", "clara.l", "CLARA.I"):
        with pytest.raises(Exception, match="usertag is taken"):
            await register(server, usertag)
    await register(server, "ciara.1")
