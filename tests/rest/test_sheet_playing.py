"""A sheet of the library is played in a room: from the upload to the keys that everybody hears."""

import io

import mido
import pytest

from rhythm_protocol.messages import RoomUpdated
from rhythmd import bridges
from rhythmd.app import Server
from rhythmd.midi.reader import read_performance
from rhythmd.midi.score import Score
from tests.client import Connect
from tests.deadline import within
from tests.hub.sheets import Sounding
from tests.rest.api import Api, User
from tests.rest.sheets import form, midi, uploaded
from tests.rest.test_recordings import open_socket


async def test_an_uploaded_sheet_sounds_in_the_room(
    api: Api, patient: Server, connect: Connect, clara: User, robert: User
) -> None:
    sheet = await uploaded(api, clara, midi(60, 64, 67, tempo=600), privacy="private")
    owner = await open_socket(api, patient, connect, clara.access_token)
    listener = await open_socket(api, patient, connect, robert.access_token)
    await owner.ask("sheet-play", {"sheet": sheet["id"]})
    room = (await listener.expect(RoomUpdated)).room
    assert room.sheet is not None
    assert (room.sheet.id, room.sheet.title, room.sheet.by) == (sheet["id"], "Untitled", clara.id)
    heard = Sounding(room.sheet.slot)
    await within(heard.listen(listener, lambda sounding: sounding.keys() == [60, 64, 67]))


@pytest.mark.parametrize("whose", ["private", "rejected"])
async def test_what_one_may_not_read_one_may_not_play(
    api: Api, patient: Server, connect: Connect, clara: User, robert: User, editor: User, whose: str
) -> None:
    sheet = await uploaded(api, clara, privacy="private" if whose == "private" else "public")
    if whose == "rejected":
        path = f"/sheet_music/{sheet['id']}/reject"
        await api.call("POST", path, {"reason": "no"}, token=editor.access_token)
    player = await open_socket(api, patient, connect, robert.access_token)
    refused = await player.refused("sheet-play", {"sheet": sheet["id"]})
    assert refused.code == "not-found"


async def test_a_sheet_that_changes_goes_on_as_it_was(api: Api, patient: Server, connect: Connect, clara: User) -> None:
    sheet = await uploaded(api, clara, midi(60, 62, tempo=20))
    owner = await open_socket(api, patient, connect, clara.access_token)
    await owner.ask("sheet-play", {"sheet": sheet["id"]})
    data = form(midi(72), "new.mid", {})
    answer = await api.call("PATCH", f"/sheet_music/{sheet['id']}", data=data, token=clara.access_token)
    assert answer.status == 200
    await api.call("DELETE", f"/sheet_music/{sheet['id']}", token=clara.access_token)
    await owner.ask("sheet-seek", {"position_ms": 0})
    await owner.ask("sheet-stop", {})


async def test_sheet_that_cannot_be_played_says_why(api: Api, patient: Server, connect: Connect, clara: User) -> None:
    track = mido.MidiTrack([mido.Message("note_on", channel=9, note=38), mido.Message("note_off", channel=9, note=38)])
    stream = io.BytesIO()
    mido.MidiFile(type=0, tracks=[track]).save(file=stream)
    sheet = await uploaded(api, clara, stream.getvalue())
    owner = await open_socket(api, patient, connect, clara.access_token)
    refused = await owner.refused("sheet-play", {"sheet": sheet["id"]})
    assert (refused.code, refused.field) == ("not-found", "sheet")
    assert "no notes but of drums" in refused.message


@pytest.mark.parametrize(("score_bytes", "times"), [(bridges.SCORE_BYTES, 2), (50, 3)])
async def test_sheet_that_is_played_again_is_read_once_if_it_could_be_kept(
    score_bytes: int, times: int, patient: Server, api: Api, clara: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[int] = []

    def counted(content: bytes) -> Score:
        read.append(len(content))
        return read_performance(content)

    monkeypatch.setattr(bridges, "read_performance", counted)
    sheets = [await uploaded(api, clara, midi(60, pitch)) for pitch in (62, 64)]
    source = bridges.LibrarySheets(patient.library, score_bytes)
    for number in (0, 1, 0):
        played = await source.performance(sheets[number]["id"], clara.id, frozenset())
        assert played.sheet_id == sheets[number]["id"]
    assert len(read) == times
