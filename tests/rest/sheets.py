"""Files of sheet music, and how they get to a server."""

import io
from typing import Any, Final

import aiohttp
import mido

from tests.rest.api import Answer, Api, User

__all__ = ["ABC", "approve", "form", "midi", "read_status", "search", "upload", "uploaded"]

ABC: Final = b"X:1\nT:Air in G\nC:Trad.\nM:3/4\nL:1/4\nQ:1/4=90\nK:G\nG A B | c2 d | B3 |]\n"


def midi(*pitches: int, title: str = "", tempo: int = 120) -> bytes:
    """A Standard MIDI File of quarter notes, one after the other."""
    file = mido.MidiFile(type=0, ticks_per_beat=480)
    track = mido.MidiTrack()
    file.tracks.append(track)
    if title:
        track.append(mido.MetaMessage("track_name", name=title, time=0))
    track.append(mido.MetaMessage("set_tempo", tempo=mido.bpm2tempo(tempo), time=0))
    for pitch in pitches or (60, 64, 67):
        track.append(mido.Message("note_on", note=pitch, velocity=80, time=0))
        track.append(mido.Message("note_off", note=pitch, velocity=0, time=480))
    stream = io.BytesIO()
    file.save(file=stream)
    return stream.getvalue()


def form(content: bytes, name: str, fields: dict[str, str | list[str]]) -> aiohttp.FormData:
    """What a browser sends."""
    data = aiohttp.FormData(quote_fields=False)
    for field, value in fields.items():
        for each in [value] if isinstance(value, str) else value:
            data.add_field(field, each)
    data.add_field("file", io.BytesIO(content), filename=name, content_type="application/octet-stream")
    return data


async def upload(api: Api, user: User, content: bytes, **fields: str | list[str]) -> Answer:
    """Upload a file with what is said of it; `name` is that of the file."""
    name = fields.pop("name", "air.mid")
    assert isinstance(name, str)
    return await api.call("POST", "/sheet_music/upload", data=form(content, name, fields), token=user.access_token)


async def uploaded(api: Api, user: User, content: bytes | None = None, **fields: str | list[str]) -> dict[str, Any]:
    """A sheet that was just uploaded."""
    answer = await upload(api, user, midi() if content is None else content, **fields)
    assert answer.status == 201, answer.body
    assert isinstance(answer.body, dict)
    return answer.body


async def search(api: Api, query: str = "", user: User | None = None) -> list[str]:
    """The titles that are found."""
    answer = await api.call("GET", f"/sheet_music/search{query}", token=user and user.access_token)
    assert answer.status == 200, answer.body
    return [sheet["title"] for sheet in answer.body["sheets"]]


async def approve(api: Api, editor: User, *sheet_ids: str) -> None:
    """Let sheets be listed."""
    for sheet_id in sheet_ids:
        answer = await api.call("POST", f"/sheet_music/{sheet_id}/approve", {}, token=editor.access_token)
        assert answer.status == 200, answer.body


async def read_status(api: Api, sheet_id: str, user: User | None = None) -> int:
    """What a reader is answered with."""
    return (await api.call("GET", f"/sheet_music/{sheet_id}", token=user and user.access_token)).status
