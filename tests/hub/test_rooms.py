"""Owners, and the rules that they give their rooms."""

from typing import NamedTuple

import pytest

from rhythm_protocol.messages import ChatKind, ChatLine, Error, QuotaState, RoomUpdated
from rhythmd.app import Server
from tests.client import Client, Connect, Music, chord, note_off, note_on


class Salon(NamedTuple):
    """A room of two."""

    owner: Client
    guest: Client


@pytest.fixture
async def salon(server: Server, connect: Connect) -> Salon:
    owner, guest = await connect(server), await connect(server)
    for client in (owner, guest):
        await client.join("Salon")
    return Salon(owner, guest)


async def change(client: Client, **settings: object) -> None:
    await client.ask("room-update", {"settings": settings})


async def refusal(client: Client, **settings: object) -> tuple[str, str | None]:
    error = await client.refused("room-update", {"settings": settings})
    return error.code, error.field


async def test_owner_passes_to_the_longest_present(server: Server, connect: Connect, salon: Salon) -> None:
    third = await connect(server)
    await third.join("Salon")
    await salon.owner.ask("leave-room")
    assert (await third.expect(RoomUpdated)).room.owner == salon.guest.welcome.user.id
    assert (await salon.guest.expect(QuotaState)).maximum == 1_800
    await salon.guest.ask("leave-room")
    assert (await third.expect(RoomUpdated)).room.owner == third.welcome.user.id


async def test_transfer_owner_gives_and_takes_the_rights(salon: Salon) -> None:
    await salon.owner.ask("transfer-owner", {"user": salon.guest.welcome.user.id})
    assert (await salon.guest.expect(RoomUpdated)).room.owner == salon.guest.welcome.user.id
    await change(salon.guest, stage="church")
    assert await refusal(salon.owner, stage="cave") == ("not-owner", None)


@pytest.mark.parametrize("user", ["nobody", ""])
async def test_transfer_owner_to_nobody_is_refused(salon: Salon, user: str) -> None:
    error = await salon.owner.refused("transfer-owner", {"user": user})
    assert (error.code, error.field) == ("user-not-found", "user")


async def test_transfer_owner_by_somebody_else_is_refused(salon: Salon) -> None:
    error = await salon.guest.refused("transfer-owner", {"user": salon.guest.welcome.user.id})
    assert error.code == "not-owner"


async def test_transfer_owner_releases_who_may_not_play_any_more(salon: Salon) -> None:
    await change(salon.owner, only_owner_can_play=True)
    await salon.owner.play([note_on()])
    await salon.owner.ask("transfer-owner", {"user": salon.guest.welcome.user.id})
    assert await salon.guest.events(2) == [(1, note_on()), (1, note_off())]


async def test_room_update_tells_everybody_and_keeps_the_rest(salon: Salon) -> None:
    await change(salon.owner, name="  Attic ", max_players=7)
    room = (await salon.guest.expect(RoomUpdated)).room
    assert (room.name, room.settings.max_players, room.settings.allow_bots) == ("Attic", 7, True)
    assert (await salon.owner.expect(RoomUpdated)).room == room


async def test_room_update_by_somebody_else_is_refused(salon: Salon) -> None:
    assert await refusal(salon.guest, max_players=7) == ("not-owner", None)


async def test_room_update_outside_of_a_room_is_refused(server: Server, connect: Connect) -> None:
    assert await refusal(await connect(server), max_players=7) == ("not-in-room", None)


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"max_players": 51}, "settings.max_players"),
        ({"max_players": 0}, "settings.max_players"),
        ({"type": "lobby"}, "settings.type"),
        ({"type": "private"}, "password"),
        ({"name": " "}, "settings.name"),
        ({"name": None}, "settings.name"),
        ({"welcome_message": "x" * 501}, "settings.welcome_message"),
    ],
)
async def test_room_update_against_the_rules_changes_nothing(
    salon: Salon, settings: dict[str, object], field: str
) -> None:
    assert await refusal(salon.owner, stage="cave", **settings) == ("invalid-field", field)
    await change(salon.owner)
    room = (await salon.guest.expect(RoomUpdated)).room
    assert (room.settings.stage, room.name) == ("", "Salon")


async def test_rename_to_a_name_that_is_taken_is_refused(server: Server, connect: Connect, salon: Salon) -> None:
    await (await connect(server)).join("Attic")
    assert await refusal(salon.owner, name="ATTIC ") == ("taken", "settings.name")
    await change(salon.owner, name="SALON")


async def test_rename_moves_the_room_to_its_new_name(server: Server, connect: Connect, salon: Salon) -> None:
    await change(salon.owner, name="Attic")
    third = await connect(server)
    assert (await third.refused("join-room", {"room": "Salon"})).code == "room-not-found"
    assert (await third.ask("join-room", {"room": "attic"}))["slot"] == 3


async def test_password_is_set_changed_and_taken_away(server: Server, connect: Connect, salon: Salon) -> None:
    third = await connect(server)
    await change(salon.owner, password="secret", type="private")
    assert (await third.refused("join-room", {"room": "Salon"})).code == "wrong-password"
    assert await refusal(salon.owner, password=None) == ("invalid-field", "password")
    await change(salon.owner, password=None, type="public")
    await third.ask("join-room", {"room": "Salon"})


async def test_only_owner_can_play_releases_the_others_and_silences_them(salon: Salon) -> None:
    await salon.guest.play(chord(60, 64))
    assert await salon.owner.events(2) == [(salon.guest.slot, event) for event in chord(60, 64)]
    await change(salon.owner, only_owner_can_play=True)
    assert await salon.owner.events(2) == [(salon.guest.slot, event) for event in (note_off(60), note_off(64))]
    await salon.guest.play([note_on(67)])
    assert (await salon.guest.expect(Error)).code == "only-owner-can-play"
    await salon.owner.play([note_on(72)])
    assert await salon.guest.events(1) == [(salon.owner.slot, note_on(72))]
    assert Music not in map(type, await salon.owner.received())


async def test_only_owner_can_chat_silences_the_others(salon: Salon) -> None:
    await change(salon.owner, only_owner_can_chat=True)
    error = await salon.guest.refused("chat-message", {"content": "hello"})
    assert error.code == "only-owner-can-chat"
    await salon.owner.ask("chat-message", {"content": "hello"})


async def test_guests_and_bots_are_kept_out_from_now_on(server: Server, connect: Connect, salon: Salon) -> None:
    await change(salon.owner, allow_bots=False)
    bot = await connect(server, path="/ws?bot=1")
    assert (await bot.refused("join-room", {"room": "Salon"})).code == "bots-not-allowed"
    await change(salon.owner, allow_guests=False)
    third = await connect(server)
    assert (await third.refused("join-room", {"room": "Salon"})).code == "guests-not-allowed"
    await salon.guest.ask("chat-message", {"content": "still here"})


async def test_max_players_under_the_present_puts_nobody_out(server: Server, connect: Connect, salon: Salon) -> None:
    await change(salon.owner, max_players=1)
    await salon.guest.ask("leave-room")
    assert (await salon.guest.refused("join-room", {"room": "Salon"})).code == "room-full"


async def test_welcome_message_greets_the_newcomer_alone_by_name(
    server: Server, connect: Connect, salon: Salon, subprotocol: str
) -> None:
    await change(salon.owner, welcome_message="Welcome, %%user%%! Here %%user%% plays.")
    third = await connect(server, subprotocol)
    (line,) = (await third.join("Salon")).chat
    name = third.welcome.user.name
    assert (line.content, line.kind) == (f"Welcome, {name}! Here {name} plays.", ChatKind.SYSTEM)
    assert (line.user_id, line.to) == (None, third.welcome.user.id)
    assert ChatLine not in map(type, await salon.guest.received())
