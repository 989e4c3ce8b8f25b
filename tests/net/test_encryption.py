"""A handshake of TLS is paid for by its network, and few of one network are under way at once. Records have a price."""

import asyncio
import socket
import ssl
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import suppress
from typing import Final, Protocol, cast

import pytest

from bench.abuse.records import ALERT, DATA, TlsClient
from rhythmd.config import LimitsConfig
from rhythmd.fairness.turns import Turns, Waiter
from rhythmd.net import encryption
from rhythmd.net.encryption import UNKNOWN_COST_S, Encryption, handshake_cost_s
from rhythmd.net.incoming import IncomingConnection
from rhythmd.net.listener import Listener
from rhythmd.net.records import Records
from rhythmd.telemetry import Stats
from tests.certificates import Certificate
from tests.deadline import until, within
from tests.fairness.payers import new_turns

HERE: Final = "203.0.113.7"
ELSEWHERE: Final = "203.0.113.8"
CLOSE_NOTIFY: Final = b"\x01\x00"


@pytest.fixture
def context(certificate: Certificate) -> ssl.SSLContext:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate.certificate, certificate.key)
    return context


class Greeting(asyncio.Protocol):
    """The HTTP side: it says one word, which is encrypted."""

    def __init__(self, incoming: IncomingConnection) -> None:
        self._incoming = incoming

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        cast(asyncio.Transport, transport).write(b"welcome")

    def connection_lost(self, exc: Exception | None) -> None:
        self._incoming.gone()


@pytest.fixture
def limits() -> LimitsConfig:
    """A pause of the machine is not to count."""
    return LimitsConfig(handshake_s=5, client_share=100.0, network_share=100.0)


@pytest.fixture
def stats() -> Stats:
    return Stats()


@pytest.fixture
async def listener(context: ssl.SSLContext, limits: LimitsConfig, stats: Stats) -> AsyncIterator[Listener]:
    turns = Turns(asyncio.get_running_loop(), limits, stats)
    listener = Listener(limits, [], Greeting, lambda: b"", turns)
    listener.encryption = Encryption(context, limits.handshake_s, turns, limits.write_buffer_bytes)
    yield listener
    await listener.drain(0)
    await until(lambda: not listener.connections, "all are gone")


class Knock(Protocol):
    """Opens a connection from an address; the client's end of it."""

    def __call__(self, address: str) -> socket.socket: ...


@pytest.fixture
def knock(listener: Listener) -> Iterator[Knock]:
    ends: list[socket.socket] = []

    def knock(address: str) -> socket.socket:
        ours, theirs = socket.socketpair()
        for end in (ours, theirs):
            end.setblocking(False)
        ends.append(theirs)
        listener.receive(ours, address)
        return theirs

    yield knock
    for end in ends:
        end.close()


async def shake_hands(end: socket.socket) -> bytes:
    """What the server says through TLS, at first."""
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    reader, writer = await asyncio.open_connection(sock=end.dup(), ssl=context, server_hostname="127.0.0.1")
    try:
        return await reader.readexactly(7)
    finally:
        writer.transport.abort()


def is_open(end: socket.socket) -> bool:
    """Whether the server has not ended it."""
    try:
        return bool(end.recv(1))
    except BlockingIOError:
        return True


def test_what_a_handshake_costs_is_measured(context: ssl.SSLContext) -> None:
    assert handshake_cost_s(context) > 0


def test_cost_of_a_handshake_that_fails_is_guessed() -> None:
    assert handshake_cost_s(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)) == UNKNOWN_COST_S


async def test_network_pays_for_its_handshakes(listener: Listener, knock: Knock) -> None:
    assert listener.encryption is not None
    listener.encryption.cost_s = 100.0
    assert await within(shake_hands(knock(HERE))) == b"welcome"
    account = listener.turns.network(HERE)
    assert account.paid_at > asyncio.get_running_loop().time() + 50  # of the 100, whose price is one
    assert listener.turns.network(ELSEWHERE).paid_at == 0


async def test_slow_handshakes_keep_only_their_own_network_waiting(
    listener: Listener, knock: Knock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encryption, "MOST_AT_ONCE", 1)
    slow = knock(HERE)
    waiting = asyncio.create_task(shake_hands(knock(HERE)))
    assert await within(shake_hands(knock(ELSEWHERE))) == b"welcome"
    done, _ = await asyncio.wait([waiting], timeout=0.05)
    assert not done
    slow.shutdown(socket.SHUT_RDWR)
    assert await within(waiting) == b"welcome"


async def test_slow_handshakes_are_cut_short_where_there_are_many(
    listener: Listener, knock: Knock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encryption, "MOST_AT_ONCE", 2)
    monkeypatch.setattr(encryption, "MANY_AT_ONCE", 2)
    monkeypatch.setattr(encryption, "SHORT_S", 0.05)
    for _ in range(2):
        knock(HERE)
    assert await within(shake_hands(knock(HERE))) == b"welcome"
    assert listener.connections >= 1


async def test_newcomer_does_not_wait_behind_handshakes_that_never_end(
    listener: Listener, knock: Knock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encryption, "MANY_AT_ONCE", 100)  # none of them is over before the test is
    monkeypatch.setattr(encryption, "PATIENCE_S", 0.0)
    silent = [knock(HERE) for _ in range(60)]
    await until(lambda: listener.connections == len(silent), "all have come")
    for _ in silent:  # of which some begin only now, and send a newcomer away as well
        with suppress(ConnectionError):
            assert await within(shake_hands(knock(HERE))) == b"welcome"
            break
    else:
        raise AssertionError("it is sent away again and again")
    assert listener.connections > 1


async def test_newcomer_is_the_next_one(listener: Listener, knock: Knock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encryption, "MOST_AT_ONCE", 1)
    monkeypatch.setattr(encryption, "PATIENCE_S", 1_000.0)
    slow = knock(HERE)
    others = [knock(HERE) for _ in range(3)]
    await until(lambda: listener.connections == 1 + len(others), "all have come")
    newcomer = asyncio.create_task(shake_hands(knock(HERE)))
    await until(lambda: listener.connections == 2 + len(others), "it has come")
    slow.close()
    assert await within(newcomer) == b"welcome"
    assert all(is_open(end) for end in others)


async def test_handshake_that_gives_up_waiting_leaves_no_place_taken(
    listener: Listener, knock: Knock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(encryption, "MOST_AT_ONCE", 1)
    monkeypatch.setattr(encryption, "PATIENCE_S", 1_000.0)
    assert listener.encryption is not None
    slow = knock(HERE)
    slow.send(TlsClient().hello())
    await within(asyncio.get_running_loop().sock_recv(slow, 1))
    monkeypatch.setattr(listener.encryption, "_handshake_s", 0.01)
    others = [knock(HERE) for _ in range(3)]
    await until(lambda: listener.connections == 1 and not any(map(is_open, others)), "the others have given up")
    slow.close()
    monkeypatch.setattr(listener.encryption, "_handshake_s", 5.0)
    assert await within(shake_hands(knock(HERE))) == b"welcome"


class Encrypted:
    """A client's end of an encrypted connection, which writes its records itself."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self.tls = TlsClient()

    async def open(self) -> None:
        self._end.send(self.tls.hello())
        while not self.tls.is_open:
            self._end.send(self.tls.answer(await within(asyncio.get_running_loop().sock_recv(self._end, 65_536))))

    async def send(self, data: bytes) -> None:
        await asyncio.get_running_loop().sock_sendall(self._end, data)

    def read(self) -> None:
        """Take what has come."""
        with suppress(OSError):
            self._end.recv(1_000_000)

    def flood(self, data: bytes) -> int:
        """Send what the server takes; how many bytes that were."""
        try:
            return self._end.send(data)
        except (BlockingIOError, ConnectionError):
            return 0


MAKERS: Final[dict[str, Callable[[TlsClient], bytes]]] = {
    "tiny": lambda tls: b"".join(tls.record(DATA, b"a") for _ in range(200)),
    "empty": lambda tls: b"".join(tls.record(DATA, b"" if number % 20 else b"a") for number in range(200)),
    "padded": lambda tls: b"".join(tls.record(DATA, b"" if number % 20 else b"a", 500) for number in range(40)),
    "new keys": lambda tls: b"".join(tls.key_update() for _ in range(100)),
}


@pytest.mark.parametrize("kind", MAKERS)
async def test_network_pays_for_records_that_say_little(listener: Listener, knock: Knock, kind: str) -> None:
    assert listener.encryption is not None
    listener.encryption.cost_s = 0.0
    client = Encrypted(knock(HERE))
    await client.open()
    account = listener.turns.network(HERE)
    account.paid_at = 0.0
    client.flood(MAKERS[kind](client.tls))
    await until(lambda: account.paid_at, "they are charged")


@pytest.mark.parametrize("kind", MAKERS)
async def test_records_of_one_network_wait_while_it_is_over_its_share(
    listener: Listener, knock: Knock, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    turns = listener.turns
    waiting: list[Waiter] = []
    wait = turns.wait

    def watch(waiter: Waiter) -> None:
        waiting.append(waiter)
        wait(waiter)

    monkeypatch.setattr(turns, "wait", watch)
    client = Encrypted(knock(HERE))
    await client.open()
    now = asyncio.get_running_loop().time()
    turns.network(HERE).paid_at = now + 1_000
    client.flood(MAKERS[kind](client.tls))
    await until(lambda: any(isinstance(waiter, Records) for waiter in waiting), "it waits for its turn")
    assert await within(shake_hands(knock(ELSEWHERE))) == b"welcome"
    assert {waiter.account.network for waiter in waiting} == {turns.network(HERE)}


IMPATIENT: Final = LimitsConfig(handshake_s=5, input_burst_s=0.1, flood_s=0.1, client_share=100.0, network_share=100.0)


@pytest.mark.parametrize("limits", [IMPATIENT])
@pytest.mark.parametrize("kind", MAKERS)
async def test_records_without_an_end_that_say_little_are_cut_off(
    listener: Listener, knock: Knock, stats: Stats, kind: str
) -> None:
    client = Encrypted(knock(HERE))
    await client.open()
    unsent = b""

    def flood() -> bool:
        nonlocal unsent
        unsent = unsent or MAKERS[kind](client.tls)
        unsent = unsent[client.flood(unsent) :]
        client.read()
        return not listener.connections

    await until(flood, "it is cut off")
    assert stats.slowed["input"]
    assert stats.closes == {"tls-flooding": 1}
    assert listener.turns.network(HERE).forgiven_at
    assert not listener.turns.network(ELSEWHERE).forgiven_at


@pytest.mark.parametrize("limits", [IMPATIENT])
async def test_nobody_waits_for_a_client_that_is_gone(
    listener: Listener, knock: Knock, stats: Stats, monkeypatch: pytest.MonkeyPatch
) -> None:
    timers: list[asyncio.TimerHandle] = []
    turns = listener.turns
    wait_until_paid = turns.wait_until_paid

    def watch(waiter: Waiter, _wait_s: float) -> asyncio.TimerHandle:
        timers.append(wait_until_paid(waiter, 1_000))
        waiter.abort()
        return timers[-1]

    monkeypatch.setattr(turns, "wait_until_paid", watch)
    client = Encrypted(knock(HERE))
    await client.open()

    def flood() -> bool:
        client.flood(MAKERS["tiny"](client.tls))
        return not listener.connections

    await until(flood, "it is gone")
    assert [timer.cancelled() for timer in timers] == [True]
    assert not stats.closes


HONEST: Final[dict[str, tuple[int, int]]] = {
    "a byte a record": (1, 1_000),
    "a short frame a record": (6, 20_000),
    "an upload in small records": (1_400, 3_000),
    "an upload in whole records": (16_384, 300),
}
"""Bytes of a record, and how many there are, as fast as they go."""


@pytest.mark.parametrize("kind", HONEST)
async def test_records_that_say_something_are_free(listener: Listener, knock: Knock, stats: Stats, kind: str) -> None:
    client = Encrypted(knock(HERE))
    await client.open()
    size, count = HONEST[kind]
    await client.send(b"".join(client.tls.record(DATA, b"a" * size) for _ in range(count)))
    await within(client.send(client.tls.record(ALERT, CLOSE_NOTIFY)))
    await until(lambda: not listener.connections, "it has left")
    assert not stats.slowed["input"]
    assert not stats.closes


@pytest.mark.parametrize("limits", [LimitsConfig(handshake_s=5, bytes_per_s=1_000_000_000, client_share=100.0)])
async def test_client_that_asks_for_new_keys_and_reads_nothing_is_cut_off(listener: Listener, knock: Knock) -> None:
    client = Encrypted(knock(HERE))
    await client.open()

    def flood() -> bool:
        client.flood(MAKERS["new keys"](client.tls))
        return not listener.connections

    await until(flood, "it is cut off")


async def test_tls_does_not_begin_again(context: ssl.SSLContext) -> None:
    Encryption(context, 1.0, new_turns(), 1_024)
    assert context.options & ssl.OP_NO_RENEGOTIATION
