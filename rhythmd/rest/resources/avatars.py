"""`avatars/…` and `users/…/avatar`: pictures that users upload of themselves."""

from functools import partial
from typing import Final

from aiohttp import web

from rhythmd.avatars.service import Avatars
from rhythmd.rest.resources.users import usertag_of
from rhythmd.rest.resources.views import Me, Person, me, person
from rhythmd.rest.serving.call import Call, Nothing
from rhythmd.rest.serving.files import ServedFile, file_response

__all__ = ["WEBP", "AvatarsResource"]

WEBP: Final = "image/webp"


class AvatarsResource:
    """Avatars, by the hash of their content, for everybody who knows it."""

    def __init__(self, avatars: Avatars) -> None:
        self._avatars = avatars

    async def upload(self, call: Call[Nothing]) -> Me:
        """Upload a picture of yourself: PNG, JPEG or WebP. Its middle is kept, 256 pixels wide and high, as WebP."""
        return me(await self._avatars.upload(call.account.id, call.upload.content, call.client.address))

    async def remove(self, call: Call[Nothing]) -> Me:
        """Show no picture of yourself any more."""
        return me(await self._avatars.remove(call.account.id))

    async def take_down(self, call: Call[Nothing]) -> Person:
        """Take a user's picture away."""
        return person(await self._avatars.take_down(call.known, usertag_of(call), call.client), call.principal)

    async def file(self, call: Call[Nothing]) -> web.StreamResponse:
        """The picture, which never changes: another one has another address."""
        digest = call.path("hash")
        size = await self._avatars.size(digest)
        return await file_response(
            call.request,
            ServedFile(
                etag=f'"{digest}"',
                size=size,
                media_type=WEBP,
                name=f"{digest}.webp",
                cache_control="public, max-age=31536000, immutable",
                read=partial(self._avatars.read, digest),
            ),
        )
