"""Proxies with the configurations of `docs/deploying.md`, as processes of an ordinary user."""

import asyncio
import contextlib
import os
import shutil
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Final, NamedTuple

from tests.certificates import Certificate
from tests.deadline import within
from tests.deploying.document import block

__all__ = ["PROXIES", "Place", "Proxy", "running"]

UPSTREAM: Final = "127.0.0.1:8080"


class Place(NamedTuple):
    """Where a proxy runs.

    Attributes:
        folder: for its files.
        port: that it listens on.
        upstream: the port of the server behind it.
        certificate: for TLS.
        before: whether it is to believe another proxy before it, on this machine.
    """

    folder: Path
    port: int
    upstream: int
    certificate: Certificate
    before: bool

    @property
    def server(self) -> tuple[str, str]:
        """The change of the server's address in a configuration."""
        return UPSTREAM, f"127.0.0.1:{self.upstream}"


class Proxy(NamedTuple):
    """A way to put a proxy before the server.

    Attributes:
        program: that it needs.
        toml: the name of the server's configuration.
        path: under which the server is, such as `/piano`.
        files: writes what the program reads; its arguments.
        speaks_headers: whether it says in headers who its clients are.
    """

    program: str
    toml: str
    path: str
    files: Callable[[Place, bool], list[str]]
    speaks_headers: bool = True


def _nginx(place: Place, is_prefixed: bool) -> list[str]:
    changes = [
        place.server,
        ("    listen [::]:443 ssl;\n", ""),
        ("listen 443 ssl", f"listen 127.0.0.1:{place.port} ssl"),
        ("/etc/ssl/piano/fullchain.pem", str(place.certificate.certificate)),
        ("/etc/ssl/piano/privkey.pem", str(place.certificate.key)),
    ]
    if is_prefixed:
        changes.append(("    location / {\n        proxy_pass http://rhythmd;\n    }\n", block("nginx", "prefix")))
    temporary = "".join(
        f"{name}_temp_path {place.folder / name};\n" for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    path = place.folder / "nginx.conf"
    path.write_text(
        f"daemon off;\nmaster_process off;\npid {place.folder / 'pid'};\nerror_log stderr;\nevents {{}}\n"
        f"http {{\naccess_log off;\n{temporary}{block('nginx', 'root', *changes)}}}\n"
    )
    return ["-p", str(place.folder), "-e", "stderr", "-c", str(path)]


def _caddy(place: Place, is_prefixed: bool) -> list[str]:
    tls = f"    tls {place.certificate.certificate} {place.certificate.key}\n"
    site = f"https://127.0.0.1:{place.port} {{\n{tls}"
    upstream = f"127.0.0.1:{place.upstream}"
    if place.before:
        upstream += " {\n        trusted_proxies 127.0.0.0/8\n    }"
    text = block("caddy", "prefix" if is_prefixed else "root", ("piano.example {\n", site), (UPSTREAM, upstream))
    path = place.folder / "Caddyfile"
    path.write_text(f"{{\n    admin off\n    auto_https off\n    skip_install_trust\n}}\n{text}")
    return ["run", "--config", str(path), "--adapter", "caddyfile"]


def _haproxy(place: Place, is_prefixed: bool) -> list[str]:
    bundle = _bundle(place)
    changes = [
        place.server,
        (
            "bind :443,[::]:443 v6only ssl crt /etc/ssl/piano/bundle.pem",
            f"bind 127.0.0.1:{place.port} ssl crt {bundle}",
        ),
    ]
    if is_prefixed:
        changes.append(("    default_backend rhythmd\n", block("haproxy", "prefix")))
    return _haproxy_file(place, block("haproxy", "root", *changes))


def _balancer(place: Place, is_prefixed: bool) -> list[str]:
    assert not is_prefixed
    accept = f"bind 127.0.0.1:{place.port}{' accept-proxy' if place.before else ''}"
    return _haproxy_file(place, block("haproxy", "tcp", place.server, ("bind :443,[::]:443 v6only", accept)))


def _bundle(place: Place) -> Path:
    bundle = place.folder / "bundle.pem"
    bundle.write_bytes(place.certificate.certificate.read_bytes() + place.certificate.key.read_bytes())
    return bundle


def _haproxy_file(place: Place, text: str) -> list[str]:
    path = place.folder / "haproxy.cfg"
    path.write_text(text)
    return ["-db", "-f", str(path)]


PROXIES: Final = {
    "nginx": Proxy("nginx", "proxied", "", _nginx),
    "nginx below a path": Proxy("nginx", "prefixed", "/piano", _nginx),
    "Caddy": Proxy("caddy", "proxied", "", _caddy),
    "Caddy below a path": Proxy("caddy", "prefixed", "/piano", _caddy),
    "HAProxy": Proxy("haproxy", "proxied", "", _haproxy),
    "HAProxy below a path": Proxy("haproxy", "prefixed", "/piano", _haproxy),
    "HAProxy for TCP": Proxy("haproxy", "tcp", "", _balancer, speaks_headers=False),
}


def found(program: str) -> str | None:
    """Where a program is; Debian has those of daemons where only root looks."""
    return shutil.which(program, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


@contextlib.asynccontextmanager
async def running(proxy: Proxy, place: Place) -> AsyncIterator[None]:
    """The proxy, once it accepts connections. Killed at the end."""
    program = found(proxy.program)
    assert program is not None
    log = place.folder / "log"
    environment = {"PATH": os.environ["PATH"], "HOME": str(place.folder)}
    arguments = await asyncio.to_thread(proxy.files, place, bool(proxy.path))
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            program, *arguments, stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output, cwd=place.folder,
            env=environment,
        )  # fmt: skip
    try:
        await within(_accepts(process, place.port, log))
        yield
    finally:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await within(process.wait())


async def _accepts(process: asyncio.subprocess.Process, port: int, log: Path) -> None:
    while True:
        assert process.returncode is None, await asyncio.to_thread(log.read_text)
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        await asyncio.sleep(0.02)
