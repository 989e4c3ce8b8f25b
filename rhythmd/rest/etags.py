"""Answers that a client has already (RFC 9110, 13)."""

from aiohttp import web

__all__ = ["is_known"]


def is_known(request: web.BaseRequest, etag: str) -> bool:
    """Whether the client has this version already (If-None-Match, 13.1.2)."""
    if "If-None-Match" not in request.headers:
        return False
    return any(tag.value == "*" or f'"{tag.value}"' == etag for tag in request.if_none_match or ())
