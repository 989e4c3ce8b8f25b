"""One reading of addresses, whatever form they come in."""

import pytest

from rhythmd.addresses import (
    canonical_address,
    customer_network,
    is_allowed_origin,
    is_local_host,
    is_loopback,
    parse_address,
    parse_network,
    set_customer_prefix,
    url_origin,
)

CANONICAL = [
    ("192.0.2.1", "192.0.2.1"),
    (" 192.0.2.1 ", "192.0.2.1"),
    ("::ffff:192.0.2.1", "192.0.2.1"),
    ("::FFFF:c000:0201", "192.0.2.1"),
    ("0:0:0:0:0:ffff:192.0.2.1", "192.0.2.1"),
    ("2001:DB8:0:0::1", "2001:db8::1"),
    ("fe80::1%eth0", "fe80::1"),
    ("::ffff:192.0.2.1%eth0", "192.0.2.1"),
]
NO_ADDRESSES = [
    "",
    " ",
    "%",
    "%eth0",
    "unknown",
    "192.0.2",
    "192.0.2.256",
    "192.0.2.01",
    "3221225985",
    "1::2::3",
    "::g",
]


@pytest.mark.parametrize(("text", "canonical"), CANONICAL)
def test_canonical_address_of_any_form_is_one(text: str, canonical: str) -> None:
    assert canonical_address(text) == canonical
    assert str(parse_address(text)) == canonical


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_parse_address_of_what_is_none_is_none(text: str) -> None:
    assert parse_address(text) is None
    assert canonical_address(text) == text
    assert customer_network(text) == text
    assert not is_loopback(text)


@pytest.mark.parametrize(
    "text", ["127.0.0.1", "127.0.0.0", "127.255.255.255", "::1", "::1%lo", "::ffff:127.0.0.1", "::ffff:7f09:0908"]
)
def test_is_loopback_in_any_form(text: str) -> None:
    assert is_loopback(text)


@pytest.mark.parametrize("text", ["128.0.0.1", "126.255.255.255", "::2", "::", "0.0.0.0", "::127.0.0.1", "fe80::1%lo"])
def test_is_loopback_of_other_addresses_is_false(text: str) -> None:
    assert not is_loopback(text)


@pytest.mark.parametrize(
    ("address", "other", "same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("2001:db8::1", "2001:DB8:0:0:0:0:0:2", True),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("192.0.2.1", "c000:201::", False),
        ("", "", True),
    ],
)
def test_customer_network_is_what_one_customer_has(address: str, other: str, same: bool) -> None:
    assert (customer_network(address) == customer_network(other)) is same


@pytest.mark.parametrize(
    ("address", "prefix", "network"),
    [
        ("203.0.113.7", 32, "203.0.113.7"),
        ("203.0.113.7", 24, "203.0.113.0/24"),
        ("203.0.113.255", 25, "203.0.113.128/25"),
        ("::ffff:203.0.113.7", 24, "203.0.113.0/24"),
        ("2001:db8::1:2:3:4", 24, "2001:db8::/64"),
        ("203.0.113.0/24", 24, "203.0.113.0/24"),
        ("", 24, ""),
    ],
)
def test_customer_network_has_the_prefix_that_was_set(address: str, prefix: int, network: str) -> None:
    set_customer_prefix(prefix)
    assert customer_network(address) == network


@pytest.mark.parametrize(
    ("network", "address"),
    [
        ("10.0.0.0/8", "10.255.0.1"),
        ("10.0.0.7/8", "10.0.0.1"),
        ("10.0.0.7", "::ffff:10.0.0.7"),
        ("::ffff:10.0.0.0/104", "10.1.2.3"),
        ("::ffff:10.0.0.7", "10.0.0.7"),
        ("2001:db8::/32", "2001:db8:1::1"),
        ("fe80::/10", "fe80::1%eth0"),
    ],
)
def test_parse_network_holds_addresses_of_any_form(network: str, address: str) -> None:
    assert parse_address(address) in parse_network(network)


def test_parse_network_keeps_versions_apart() -> None:
    assert parse_address("10.0.0.1") not in parse_network("::/0")
    assert parse_address("::1") not in parse_network("0.0.0.0/0")


@pytest.mark.parametrize("text", ["", "everybody", "10.0.0.0/33", "2001:db8::/129", "10.0.0.0-10.0.0.9"])
def test_parse_network_of_what_is_none_raises(text: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        parse_network(text)


@pytest.mark.parametrize(
    ("url", "origin"),
    [
        ("http://[0:0:0:0:0:0:0:1]", "http://[::1]"),
        ("HTTP://[2001:DB8::0:A]:80/x", "http://[2001:db8::a]"),
        ("https://[2001:db8:0:0:1:0:0:1]:8443", "https://[2001:db8::1:0:0:1]:8443"),
        ("http://Piano.Example.", "http://piano.example"),
        ("https://piano.example.:443", "https://piano.example"),
        ("https://xn--klavier-9ya.example", "https://xn--klavier-9ya.example"),
        ("http://127.0.0.1.", "http://127.0.0.1"),
        ("http://[::1%25lo]", "http://[::1%25lo]"),
        ("http://.", None),
        ("http://[::1", None),
        ("http://[:::1]", None),
        ("null", None),
    ],
)
def test_origin_has_one_form(url: str, origin: str | None) -> None:
    assert url_origin(url) == origin


def test_mapped_address_is_no_name_of_the_address_within() -> None:
    mapped = url_origin("http://[::ffff:192.0.2.1]")
    assert mapped == url_origin("http://[::FFFF:c000:201]")
    assert mapped != url_origin("http://192.0.2.1")


@pytest.mark.parametrize(
    ("origin", "host", "same"),
    [
        ("http://[::1]:8080", "[0:0:0:0:0:0:0:1]:8080", True),
        ("http://[2001:db8::a]", "[2001:DB8:0::A]:80", True),
        ("http://piano.example", "Piano.example.", True),
        ("http://piano.example.", "piano.example:80", True),
        ("http://[2001:db8::a]", "[2001:db8::b]", False),
        ("http://[::ffff:192.0.2.1]", "192.0.2.1", False),
        ("http://piano.example..", "piano.example", False),
    ],
)
def test_host_of_any_form_is_of_the_same_origin(origin: str, host: str, same: bool) -> None:
    assert is_allowed_origin(origin, [host], []) is same


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST.", "127.0.0.1", "127.1.2.3", "::1", "[0:0:0:0:0:0:0:1]"])
def test_this_machine_has_many_names(host: str) -> None:
    assert is_local_host(host)


@pytest.mark.parametrize("host", ["", ".", "localhost.example", "128.0.0.1", "[::2]", "localhost.."])
def test_other_machine_is_not_this_one(host: str) -> None:
    assert not is_local_host(host)


def test_customer_network_of_ipv6_has_the_prefix_that_was_set() -> None:
    set_customer_prefix(32, 56)
    assert customer_network("2001:db8:0:ff::1") == customer_network("2001:db8:0:1::1") == "2001:db8::/56"
    assert customer_network("2001:db8:0:100::1") == "2001:db8:0:100::/56"
