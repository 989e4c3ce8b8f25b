"""What users change about themselves."""

import pytest

from rhythm_protocol.control import SUBPROTOCOL_JSON
from rhythm_protocol.messages import Status, User, UserUpdated
from rhythmd.app import Server
from tests.client import Client, Connect


@pytest.fixture
async def pair(server: Server, connect: Connect) -> list[Client]:
    clients = [await connect(server), await connect(server, SUBPROTOCOL_JSON)]
    for client in clients:
        await client.join("Salon")
    for client in clients:
        await client.received()
    return clients


async def test_user_update_is_seen_by_everybody(pair: list[Client]) -> None:
    user = pair[0].welcome.user
    update = {"name": " Clara  ", "colour": "#8ECAE6", "status": "busy", "status_text": "practising"}
    await pair[0].ask("user-update", update)
    expected = User(user.id, "Clara", "#8ecae6", Status.BUSY, "practising", slot=pair[0].slot)
    for client in pair:
        assert await client.expect(UserUpdated) == UserUpdated(expected)


async def test_user_update_keeps_what_is_left_out(pair: list[Client]) -> None:
    for update in ({"name": "Clara"}, {"status": "away"}, {"status_text": "x" * 128}, {"status_text": ""}):
        await pair[0].ask("user-update", update)
    users = [(await pair[1].expect(UserUpdated)).user for _ in range(4)]
    assert {user.colour for user in users} == {pair[0].welcome.user.colour}
    assert (users[-1].name, users[-1].status, users[-1].status_text) == ("Clara", Status.AWAY, "")


async def test_user_update_outlives_the_room(pair: list[Client]) -> None:
    await pair[0].ask("leave-room")
    await pair[0].ask("user-update", {"name": "Clara"})
    ack = await pair[0].join("Salon")
    assert [user.name for user in ack.members if user.slot == ack.slot] == ["Clara"]


async def test_user_update_out_of_bounds_is_refused_whole(pair: list[Client]) -> None:
    for field, value in (
        ("name", ""),
        ("name", "  "),
        ("name", "x" * 33),
        ("name", "two\nlines"),
        ("name", None),
        ("colour", "#12345"),
        ("colour", "#1234567"),
        ("colour", "#12345g"),
        ("status", "ONLINE"),
        ("status_text", "x" * 129),
        ("status_text", 5),
    ):
        error = await pair[0].refused("user-update", {"name": "Clara", "colour": "#000000", field: value})
        assert (error.code, error.field) == ("invalid-field", field), (field, value)
    assert await pair[1].received() == []
