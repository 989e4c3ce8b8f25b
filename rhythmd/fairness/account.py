"""What a connection and its network have cost, and whether they may go on at once.

Each account is one number, a time: when all that was spent is paid off at the agreed rate (the generic cell rate
algorithm, ITU-T I.371). It lies behind us for whoever spends little, and costs one comparison and one addition to keep.
"""

from math import ceil
from typing import Final

from rhythmd.config import LimitsConfig

__all__ = ["SEND_S", "UNCHARGED", "Account", "NetworkAccount", "Prices"]

CLIENT_CREDIT_S: Final = 0.1
"""How far ahead of the clock a client's account may be: at 5 % of the loop's time that is 5 ms of work at once."""
NETWORK_CREDIT_S: Final = 0.015
"""The same for a network: at 25 % that is 5 ms in a row, however many connections it has."""
FRAME_S: Final = 0.00002
"""Of the loop's time, for a frame that was handled when nobody looked at the clock."""
UNCHARGED: Final = 16
"""Short frames of one client, at most, that are handled before somebody looks what they have cost."""
SEND_S: Final = 0.000015
"""Of the loop's time for a message to one client, when the system sends it: after the turn in which it was written."""
SENT_BYTE_S: Final = 0.000000002
"""The same for each of its bytes, which are copied into the buffer and out of it."""


class Prices:
    """What is agreed, for all connections.

    Args:
        limits: in the operator's terms.

    Attributes:
        client: seconds of an account for a second of the loop's time.
        network: the same for the account of a network. It rises with the number of networks that wait for their turn:
            what they may spend before others have had theirs is shared among them.
        frame: seconds of an account for a frame.
        byte: seconds of an account for a byte.
        credit_s: how far ahead of the clock the account of frames and bytes may be.
        flood_s: for how long it may be further ahead.
    """

    __slots__ = ("_network", "byte", "client", "credit_s", "flood_s", "frame", "network")

    def __init__(self, limits: LimitsConfig) -> None:
        self.client = 100.0 / limits.client_share
        self.network = self._network = 100.0 / limits.network_share
        self.frame = 1.0 / limits.frames_per_s
        self.byte = 1.0 / limits.bytes_per_s
        self.credit_s = limits.input_burst_s
        self.flood_s = limits.flood_s

    def share_among(self, networks: int) -> None:
        """So many networks wait for their turn."""
        self.network = self._network * (1 + networks)


class NetworkAccount:
    """What the connections of one network have cost together. `paid_at` is a time of the monotonic clock."""

    __slots__ = ("forgiven_at", "paid_at")

    def __init__(self) -> None:
        self.paid_at = 0.0
        self.forgiven_at = 0.0  # when its floods are forgotten

    def flooded(self, now: float, memory_s: float, closes: int) -> None:
        """One of its connections was closed for flooding; `closes` of them fill the memory of `memory_s` seconds."""
        self.forgiven_at = max(self.forgiven_at, now) + memory_s / closes

    def kept_out_s(self, now: float, memory_s: float, closes: int) -> int:
        """Seconds for which it may open no socket: until one flood fewer than its memory holds is remembered."""
        return max(0, ceil(self.forgiven_at - now - memory_s + memory_s / closes))


class Account:
    """What one connection has cost. On the hot path.

    Attributes:
        network: whose account it shares.
        frames: that are not charged yet.
        flooding_since: when it went over its frames and bytes; None when it has paid them all off since.
        sends: messages to clients that it has caused, beside music.
    """

    __slots__ = ("_input_paid_at", "_paid_at", "_prices", "_unreal", "flooding_since", "frames", "network", "sends")

    def __init__(self, prices: Prices, network: NetworkAccount) -> None:
        self._prices = prices
        self.network = network
        self.frames = 0
        self.flooding_since: float | None = None
        self.sends = 0
        self._unreal = 0  # of the frames: they are counted only so that somebody looks
        self._paid_at = 0.0
        self._input_paid_at = 0.0

    def may_go_on(self, now: float) -> bool:
        """Whether what comes in is handled at once, or waits for its turn."""
        return (
            self._paid_at - now < CLIENT_CREDIT_S
            and self.network.paid_at - now < NETWORK_CREDIT_S
            and self._input_paid_at - now < self._prices.credit_s
        )

    def charge(self, start: float, end: float, size: int) -> None:
        """From `start` to `end` the loop worked for this connection, which sent `size` bytes."""
        # Both of the methods below, since each call is felt.
        prices, network = self._prices, self.network
        paid_at = self._paid_at
        self._paid_at = (paid_at if paid_at > start else start) + (end - start) * prices.client
        paid_at = network.paid_at
        network.paid_at = (paid_at if paid_at > start else start) + (end - start) * prices.network
        paid_at = self._input_paid_at
        if paid_at <= start:
            paid_at = start
            self.flooding_since = None
        self._input_paid_at = paid_at + (self.frames - self._unreal) * prices.frame + size * prices.byte
        self.frames = self._unreal = 0

    def charge_work(self, start: float, end: float) -> None:
        """The loop worked for this connection from `start` to `end`, before others had their turn."""
        prices, network = self._prices, self.network
        paid_at = self._paid_at
        self._paid_at = (paid_at if paid_at > start else start) + (end - start) * prices.client
        paid_at = network.paid_at
        network.paid_at = (paid_at if paid_at > start else start) + (end - start) * prices.network

    def was_costly(self) -> None:
        """The frame that is handled costs more than most: look what was spent before the next one is handled."""
        unreal = UNCHARGED - self.frames
        if unreal > 0:
            self.frames = UNCHARGED
            self._unreal += unreal

    def charge_time_of_frames(self, now: float) -> None:
        """Nobody looked at the clock when `frames` were handled."""
        self.frames -= self._unreal
        self._unreal = 0
        self.charge_work(now, now + self.frames * FRAME_S)

    def charge_sends(self, now: float, messages: int) -> None:
        """So many messages to clients were written for it."""
        self.sends += messages
        self.charge_work(now, now + messages * SEND_S)

    def charge_answer(self, now: float, size: int) -> None:
        """It was answered with `size` bytes."""
        self.charge_work(now, now + SEND_S + size * SENT_BYTE_S)

    def charge_input(self, now: float, size: int) -> None:
        """It has sent `size` bytes, and `frames`."""
        prices, paid_at = self._prices, self._input_paid_at
        if paid_at <= now:
            paid_at = now
            self.flooding_since = None
        self._input_paid_at = paid_at + (self.frames - self._unreal) * prices.frame + size * prices.byte
        self.frames = self._unreal = 0

    def input_wait_s(self, now: float) -> float:
        """Seconds until it has sent no more than it may; 0 when that is so."""
        return max(0.0, self._input_paid_at - now - self._prices.credit_s)

    def is_flooding(self, now: float) -> bool:
        """Whether it has been over for too long."""
        return self.flooding_since is not None and now - self.flooding_since > self._prices.flood_s

    def reason(self, now: float) -> str | None:
        """Why it has to wait, for the metrics: `input`, `client` or `network`. None if it only has much to be read."""
        if self._input_paid_at - now >= self._prices.credit_s:
            return "input"
        if self._paid_at - now >= CLIENT_CREDIT_S:
            return "client"
        return "network" if self.network.paid_at - now >= NETWORK_CREDIT_S else None
