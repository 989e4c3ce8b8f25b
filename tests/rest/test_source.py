"""The client of a request, and how it reaches us: its address, scheme and host behind any chain of proxies."""

from typing import Final, Literal

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from multidict import CIMultiDict

from rhythmd.config import ServerConfig
from rhythmd.rest.serving.source import PEER, Peer, PublicUrls, RequestSource, Visit

PROXY: Final = "10.0.0.1"
SERVER: Final = ServerConfig(trusted_proxies=["10.0.0.0/8", "2001:db8:ffff::/48"])
CLIENT: Final = "203.0.113.7"


def request_of(
    *headers: tuple[str, str], peer: str = PROXY, encrypted: bool = False, target: str = "/"
) -> web.BaseRequest:
    """A request as it came from the peer."""
    request = make_mocked_request("GET", target, headers=CIMultiDict([("Host", "upstream:8080"), *headers]))
    request[PEER] = Peer(peer, encrypted)
    return request


def visit(*headers: tuple[str, str], peer: str = PROXY, server: ServerConfig = SERVER) -> Visit:
    return RequestSource(server).visit(request_of(*headers, peer=peer))


@pytest.mark.parametrize(
    ("value", "address"),
    [
        (CLIENT, CLIENT),
        (f"{CLIENT}:4711", CLIENT),
        (f'"{CLIENT}:4711"', CLIENT),
        ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"),
        ("[2001:db8::1]:4711", "2001:db8::1"),
        ("[2001:DB8:0::1%eth0]:4711", "2001:db8::1"),
        ("::ffff:203.0.113.7", CLIENT),
        (f"1.2.3.4, {CLIENT}", CLIENT),
        (f"1.2.3.4,{CLIENT} , 10.1.1.1,10.2.2.2:80", CLIENT),
        (f"{CLIENT}, 2001:db8:ffff::1", CLIENT),
        ("127.0.0.1, 203.0.113.7", CLIENT),  # what a client says of itself is to the left
        ("10.1.1.1, 10.2.2.2", "10.1.1.1"),  # all are ours: the farthest one asks
        ("", PROXY),
        ("unknown", PROXY),
        ("_hidden", PROXY),
        (f"{CLIENT}, unknown", PROXY),
        (f"{CLIENT}, unknown, 10.1.1.1", "10.1.1.1"),
        ("not an address", PROXY),
        ("[203.0.113.7]", PROXY),
        ("203.0.113.7:notaport", PROXY),
        ("203.0.113.7:123456", PROXY),
        ("203.0.113.07", PROXY),
        ("[2001:db8::1", PROXY),
    ],
)
def test_address_is_the_last_one_that_is_no_proxy_of_ours(value: str, address: str) -> None:
    assert visit(("X-Forwarded-For", value)).address == address
    nodes = ", ".join(f'for="{part.strip().strip(chr(34))}"' for part in value.split(",")) if value else ""
    assert visit(("Forwarded", nodes)).address == address


def test_lines_of_one_header_are_one_list() -> None:
    assert visit(("X-Forwarded-For", "1.2.3.4"), ("X-Forwarded-For", CLIENT)).address == CLIENT
    assert visit(("Forwarded", "for=1.2.3.4"), ("Forwarded", f"for={CLIENT}")).address == CLIENT


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (f"for={CLIENT};proto=https;host=piano.example", Visit(CLIENT, True, "piano.example")),
        (f"Proto=HTTPS ; HOST=Piano.example ; For={CLIENT}", Visit(CLIENT, True, "piano.example")),
        (f'for={CLIENT};host="piano.example:8443";by=_x', Visit(CLIENT, False, "piano.example:8443")),
        # Each proxy tells how it was reached itself: what counts is how the client reached the first one of ours.
        (f"for={CLIENT};proto=https;host=a.example, for=10.1.1.1;proto=http", Visit(CLIENT, True, "a.example")),
        (f"for=1.2.3.4;proto=https, for={CLIENT};proto=http", Visit(CLIENT, False, "upstream:8080")),
        (f'for="{CLIENT}";ext="a\\"b, for=1.2.3.4"', Visit(CLIENT, False, "upstream:8080")),
        (f"for={CLIENT}, ", Visit(PROXY, False, "upstream:8080")),
        (f"for={CLIENT}, =;", Visit(PROXY, False, "upstream:8080")),
        ("for", Visit(PROXY, False, "upstream:8080")),
        (f'for="{CLIENT}', Visit(PROXY, False, "upstream:8080")),
    ],
)
def test_forwarded_tells_scheme_and_host(value: str, expected: Visit) -> None:
    assert visit(("Forwarded", value)) == expected


def test_headers_of_the_older_kind_tell_scheme_and_host() -> None:
    headers = ("X-Forwarded-For", CLIENT), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "Piano.example")
    assert visit(*headers) == Visit(CLIENT, True, "piano.example")
    assert visit(("X-Forwarded-Proto", "https")) == Visit(PROXY, True, "upstream:8080")
    assert visit(("X-Forwarded-Proto", "https, http")).is_encrypted is False


@pytest.mark.parametrize("peer", [CLIENT, "127.0.0.1", "2001:db8::1"])
def test_nobody_else_is_believed(peer: str) -> None:
    said = "1.2.3.4"
    headers = ("X-Forwarded-For", said), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "a.example")
    assert visit(*headers, peer=peer) == Visit(peer, False, "upstream:8080")
    assert visit(("Forwarded", f"for={said};proto=https;host=a.example"), peer=peer) == Visit(
        peer, False, "upstream:8080"
    )


@pytest.mark.parametrize(
    ("kind", "address"), [("auto", "198.51.100.1"), ("x-forwarded", "198.51.100.1"), ("forwarded", CLIENT)]
)
def test_configuration_says_which_headers_count(
    kind: Literal["auto", "x-forwarded", "forwarded"], address: str
) -> None:
    """A client may send the header that its proxy does not write."""
    server = ServerConfig(trusted_proxies=["10.0.0.0/8"], proxy_headers=kind)
    headers = ("X-Forwarded-For", "198.51.100.1"), ("Forwarded", f"for={CLIENT}")
    assert visit(*headers, server=server).address == address


def test_header_that_is_not_to_count_does_not() -> None:
    old = ServerConfig(trusted_proxies=["10.0.0.0/8"], proxy_headers="x-forwarded")
    assert visit(("Forwarded", f"for={CLIENT}"), server=old).address == PROXY
    new = ServerConfig(trusted_proxies=["10.0.0.0/8"], proxy_headers="forwarded")
    assert visit(("X-Forwarded-For", CLIENT), server=new).address == PROXY


def test_client_of_a_proxy_header_is_the_peer() -> None:
    source = RequestSource(SERVER)
    named = request_of(("X-Forwarded-For", "1.2.3.4"), peer=CLIENT, encrypted=True)
    assert source.visit(named) == Visit(CLIENT, True, "upstream:8080")


def test_target_that_is_a_url_names_the_host() -> None:
    request = request_of(target="http://piano.example:81/ws?a=b")
    assert RequestSource(SERVER).visit(request).host == "piano.example:81"


def test_ticket_leads_to_the_public_address_or_is_a_path() -> None:
    source = RequestSource(SERVER)
    assert PublicUrls("", source).socket("t") == "/ws?ticket=t"
    assert PublicUrls("http://example.com", source).socket("t") == "ws://example.com/ws?ticket=t"
    for public in ("https://example.com/piano", "https://example.com/piano/"):
        assert PublicUrls(public, source).socket("t") == "wss://example.com/piano/ws?ticket=t"
        assert PublicUrls(public, source).callback("github").startswith("https://example.com/piano/api/v1/auth/oauth/")


def test_proxy_that_nobody_named_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    source = RequestSource(SERVER)
    for peer in ("198.51.101.1", "172.17.0.1", "172.17.0.1"):
        source.visit(request_of(("X-Forwarded-For", CLIENT), peer=peer))
        source.visit(request_of(peer=peer))
    assert [record.args for record in caplog.records] == [("172.17.0.1",)]


def test_proxy_on_this_machine_that_says_nothing_is_told_of_once(caplog: pytest.LogCaptureFixture) -> None:
    source = RequestSource(ServerConfig())
    here = ("localhost:8080", "127.0.0.1", "[::1]:80", "piano:8080")
    told = [("piano.example", {"X-Forwarded-For": CLIENT})]
    for host, headers in (*[(name, {}) for name in here], *told, *[("piano.example", {})] * 2):
        request = make_mocked_request("GET", "/", headers=CIMultiDict({"Host": host, **headers}))
        request[PEER] = Peer("127.0.0.1", is_encrypted=False)
        source.visit(request)
    assert [record.args for record in caplog.records] == [("piano.example",)]
