"""From the method and path of a request to its handler."""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from typing import Final
from urllib.parse import unquote

from aiohttp import hdrs, web

from rhythm_protocol.errors import ErrorCode
from rhythmd.rest.serving.envelope import ApiError

__all__ = ["VARIABLES", "Handler", "PathMatcher", "PathRow"]

Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]
Methods = dict[str, Handler]
METHODS: Final = (hdrs.METH_ALL - {"*", hdrs.METH_CONNECT}) | {"QUERY"}
"""Of RFC 9110 and 5789. A method that is not among them, or that only proxies have, is unknown (RFC 9110, 15.6.2)."""
SERVER: Final = "*"
"""The target of a request that asks for the server as a whole (RFC 9112, 3.2.4)."""
PathRow = tuple[str, str, Handler]
"""A method of HTTP, a path with variable parts in braces, and who answers."""

VARIABLES: Final = web.RequestKey("variables", Mapping[str, str])
"""What stands in the path's variable parts, decoded."""
_VARIABLE: Final = re.compile(r"{(\w+)}")


class PathMatcher:
    """All paths with their methods and handlers. A handler of GET answers HEAD, too.

    A path without variable parts comes before one with, whatever the method.

    Args:
        rows: of two that fit a path the first one counts.
        prefix: a path under which all of it is once more, such as `/piano`, for a proxy that does not take it away.
    """

    def __init__(self, rows: Iterable[PathRow], prefix: str = "") -> None:
        self._prefix = prefix
        self._fixed: dict[str, Methods] = {}
        self._variable: dict[str, Methods] = {}
        for method, path, handler in rows:
            methods = (self._variable if "{" in path else self._fixed).setdefault(path, {})
            methods[method] = handler
            if method == hdrs.METH_GET:
                methods[hdrs.METH_HEAD] = handler
        if prefix:
            self._fixed[prefix] = {hdrs.METH_GET: self._to_folder, hdrs.METH_HEAD: self._to_folder}
        self._patterns = [(_pattern(path), methods) for path, methods in self._variable.items()]

    def handler(self, request: web.BaseRequest) -> Handler:
        """Raises ApiError: `not-found`, `method-not-allowed`, `not-implemented`."""
        if request.method not in METHODS:
            raise ApiError(ErrorCode.NOT_IMPLEMENTED, "there is no such method here")
        if request.raw_path == SERVER:  # which the parser lets OPTIONS have, and nothing else
            return self._about_server
        methods = self._fixed.get(request.raw_path) or self._methods(request)
        handler = methods.get(request.method)
        if handler is None:
            headers = {"Allow": ", ".join(sorted(methods))}
            raise ApiError(ErrorCode.METHOD_NOT_ALLOWED, "this cannot be asked for here", headers=headers)
        return handler

    def _methods(self, request: web.BaseRequest) -> Methods:
        # Decoded, but for an encoded slash and percent sign: these are no part of the path's form.
        path = request.rel_url.path_safe or "/"  # an absolute target may have none (RFC 9110, 4.2.3)
        if self._prefix:
            path = self._without_prefix(path)
        if path in self._fixed:
            return self._fixed[path]
        for pattern, methods in self._patterns:
            found = pattern.fullmatch(path)
            if found is not None:
                request[VARIABLES] = {name: unquote(value) for name, value in found.groupdict().items()}
                return methods
        raise ApiError(ErrorCode.NOT_FOUND, "there is nothing here")

    async def _about_server(self, _request: web.BaseRequest) -> web.Response:
        used = {method for row in (self._fixed, self._variable) for methods in row.values() for method in methods}
        return web.Response(status=204, headers={hdrs.ALLOW: ", ".join(sorted(used | {hdrs.METH_OPTIONS}))})

    async def _to_folder(self, request: web.BaseRequest) -> web.Response:
        """With the slash, the page's own links lead below the prefix."""
        where = request.rel_url.raw_query_string
        return web.Response(status=308, headers={hdrs.LOCATION: f"{self._prefix}/{'?' if where else ''}{where}"})

    def _without_prefix(self, path: str) -> str:
        return path.removeprefix(self._prefix) if path.startswith(f"{self._prefix}/") else path


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(_VARIABLE.sub(r"(?P<\1>[^/]+)", path))
