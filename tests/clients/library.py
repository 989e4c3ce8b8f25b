"""A visit to the library of sheet music with the client that openapi-python-client made of the API's document.

    python -m tests.clients.library URL SHEET PICTURE

The generated package must be importable as `library_client`.
"""

import io
import sys
from http import HTTPStatus
from pathlib import Path
from typing import Any

from library_client import AuthenticatedClient, Client
from library_client.api.auth import post_auth_register
from library_client.api.avatars import get_avatars_by_hash
from library_client.api.sheet_music import (
    delete_sheet_music_by_id,
    delete_sheet_music_by_id_favorite,
    get_sheet_music_by_id,
    get_sheet_music_by_id_download,
    get_sheet_music_search,
    patch_sheet_music_by_id,
    post_sheet_music_upload,
    put_sheet_music_by_id_favorite,
)
from library_client.api.users import put_users_avatar
from library_client.models import (
    Difficulty,
    GetSheetMusicByIdDownloadFormat,
    PatchSheetMusicByIdFilesBody,
    PostSheetMusicUploadBody,
    PutUsersAvatarBody,
    Register,
    SheetChange,
    SheetPrivacy,
    SheetSort,
)
from library_client.types import File

__all__: list[str] = []


def visit(url: str, content: bytes, picture: bytes) -> None:
    """Register, upload, search, read, download, mark a favourite, change and delete."""
    login: Any = post_auth_register.sync(client=Client(url), body=Register("Pythia", "correct horse"))
    client = AuthenticatedClient(url, login.access_token, raise_on_unexpected_status=True)
    sheet = upload(client, content)
    find(client, sheet)
    download(client, sheet, content)
    change(client, sheet, content)
    assert delete_sheet_music_by_id.sync_detailed(sheet.id, client=client).status_code == HTTPStatus.NO_CONTENT
    gone = get_sheet_music_by_id.sync(sheet.id, client=client)
    assert gone.error.code == "not-found"
    show(client, picture)


def upload(client: AuthenticatedClient, content: bytes) -> Any:
    body = PostSheetMusicUploadBody(
        file=File(io.BytesIO(content), file_name="air.txt", mime_type="text/plain"),
        title="Träumerei",
        tags=["romantic", "slow"],
        difficulty=Difficulty.BEGINNER,
        privacy=SheetPrivacy.UNLISTED,
        tempo=72.5,
    )
    sheet = post_sheet_music_upload.sync(client=client, body=body)
    told = (sheet.title, sheet.tags, sheet.difficulty, sheet.privacy, sheet.tempo, sheet.file_name)
    assert told == ("Träumerei", ["romantic", "slow"], Difficulty.BEGINNER, SheetPrivacy.UNLISTED, 72.5, "air.txt"), (
        told
    )
    return sheet


def find(client: AuthenticatedClient, sheet: Any) -> None:
    found = get_sheet_music_search.sync(client=client, text="traum", creator="Pythia", sort=SheetSort.NEWEST, limit=5)
    assert [each.id for each in found.sheets] == [sheet.id]
    assert found.facets.tags["slow"] == 1
    assert get_sheet_music_by_id.sync(sheet.id, client=client).hash_ == sheet.hash_
    assert put_sheet_music_by_id_favorite.sync(sheet.id, client=client).favorites == 1
    assert delete_sheet_music_by_id_favorite.sync(sheet.id, client=client).is_favorite is False


def download(client: AuthenticatedClient, sheet: Any, content: bytes) -> None:
    """The original and its MIDI, whole and in part."""
    assert get_sheet_music_by_id_download.sync(sheet.id, client=client).payload.read() == content
    wanted = GetSheetMusicByIdDownloadFormat.MID
    midi = get_sheet_music_by_id_download.sync(sheet.id, client=client, format_=wanted).payload.read()
    assert midi.startswith(b"MThd")
    part = get_sheet_music_by_id_download.sync(sheet.id, client=client, format_=wanted, range_="bytes=4-")
    assert part.payload.read() == midi[4:]


def change(client: AuthenticatedClient, sheet: Any, content: bytes) -> None:
    """What is said of it as JSON, and its content in a form."""
    assert patch_sheet_music_by_id.sync(sheet.id, client=client, body=SheetChange(title="Dreaming")).title == "Dreaming"
    other = content + b" u i o p"
    body = PatchSheetMusicByIdFilesBody(file=File(io.BytesIO(other), file_name="b.txt", mime_type="text/plain"))
    changed = patch_sheet_music_by_id.sync(sheet.id, client=client, body=body)
    assert (changed.title, changed.notes, changed.file_name) == ("Dreaming", sheet.notes + 4, "b.txt")


def show(client: AuthenticatedClient, picture: bytes) -> None:
    """The picture of a user; what is none is refused in the shape of errors."""
    me = put_users_avatar.sync(client=client, body=PutUsersAvatarBody(file=File(io.BytesIO(picture), "me.png")))
    shown = get_avatars_by_hash.sync(me.profile.avatar.rpartition("/")[2], client=client)
    assert shown.payload.read().startswith(b"RIFF")
    body = PutUsersAvatarBody(file=File(io.BytesIO(b"no picture"), "me.png"))
    assert put_users_avatar.sync(client=client, body=body).error.code == "invalid-file"


if __name__ == "__main__":
    address, *files = sys.argv[1:]
    visit(address, *(Path(file).read_bytes() for file in files))
