"""A client that a generator makes from the API's document: it uploads, searches and downloads without a change."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Final

import orjson
import pytest

from tests.deadline import within
from tests.pictures import GOOD
from tests.rest.api import Api, User
from tests.rest.sheets import midi

RUN_S: Final = 120.0
CONFIGURATION: Final = """
content_type_overrides:
  image/webp: application/octet-stream
  audio/midi: application/octet-stream
"""
"""The generator knows no media types of files; it is told that they are bytes."""

USE: Final = """
import json, sys
from generated import AuthenticatedClient, models, types
from generated.api.avatars import get_avatars_by_hash
from generated.api.sheet_music import get_sheet_music_by_id_download, get_sheet_music_search, post_sheet_music_upload
from generated.api.users import put_users_avatar

url, token, picture, music = sys.argv[1:]
client = AuthenticatedClient(base_url=url, token=token)

def file(path, name):
    return types.File(payload=open(path, "rb"), file_name=name)

me = put_users_avatar.sync(client=client, body=models.PutUsersAvatarBody(file=file(picture, "me.png")))
avatar = get_avatars_by_hash.sync(me.profile.avatar.rpartition("/")[2], client=client)
body = models.PostSheetMusicUploadBody(
    file=file(music, "air.mid"), title="Träumerei", tags=["slow", "romantic"], privacy=models.SheetPrivacy.PRIVATE
)
sheet = post_sheet_music_upload.sync(client=client, body=body)
found = get_sheet_music_search.sync(client=client, text="traumerei", creator="clara")
download = get_sheet_music_by_id_download.sync(sheet.id, client=client)
refused = put_users_avatar.sync(client=client, body=models.PutUsersAvatarBody(file=file(music, "me.png")))
print(json.dumps({
    "avatar": avatar.payload.read()[:4].decode(),
    "sheet": [sheet.title, sheet.tags, sheet.privacy],
    "found": [each.title for each in found.sheets],
    "same": download.payload.read() == open(music, "rb").read(),
    "refused": refused.error.code,
}))
"""


@pytest.fixture
async def generated(api: Api, tmp_path: Path) -> Path:
    """The folder with the client `generated`."""
    document, configuration = tmp_path / "openapi.json", tmp_path / "configuration.yaml"
    document.write_bytes(orjson.dumps((await api.call("GET", "/openapi.json")).body))
    configuration.write_text(CONFIGURATION)
    await output_of(
        "openapi_python_client", "generate", f"--path={document}", f"--config={configuration}", "--meta=none",
        f"--output-path={tmp_path / 'generated'}",
    )  # fmt: skip
    return tmp_path


async def output_of(*arguments: str, folder: Path | None = None) -> str:
    """What a Python module, or a program with `-c`, prints."""
    command = [sys.executable, *([] if arguments[0] == "-c" else ["-m"]), *arguments]
    process = await asyncio.create_subprocess_exec(*command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    output, errors = await within(process.communicate(), RUN_S)
    assert process.returncode == 0, output.decode() + errors.decode()
    return output.decode()


async def test_generated_client_uploads_searches_and_downloads(api: Api, clara: User, generated: Path) -> None:
    picture, music = generated / "me.png", generated / "air.mid"
    picture.write_bytes(GOOD["png"])
    music.write_bytes(midi())
    output = await output_of("-c", USE, api.url, clara.access_token, str(picture), str(music), folder=generated)
    assert orjson.loads(output) == {
        "avatar": "RIFF",
        "sheet": ["Träumerei", ["slow", "romantic"], "private"],
        "found": ["Träumerei"],
        "same": True,
        "refused": "invalid-file",
    }
