"""Which passwords are allowed, and how they are hashed."""

import asyncio
import threading
from collections.abc import Iterator

import pytest

from rhythmd.auth.errors import Busy, InvalidField
from rhythmd.auth.passwords import Argon2Hasher, Passwords, check_password
from rhythmd.fairness.account import NetworkAccount
from tests.auth.parts import PASSWORD, CountingHasher
from tests.deadline import until
from tests.fairness.payers import new_account, paid_by


@pytest.fixture
def passwords(hasher: CountingHasher) -> Iterator[Passwords]:
    made = Passwords(hasher, threads=2, queue=32)
    yield made
    made.close()


@pytest.mark.parametrize("password", ["8 chars!", "x" * 128, "        ", "пароль12", "\N{MUSICAL SYMBOL G CLEF}" * 8])
def test_check_password_of_allowed_length_passes(password: str) -> None:
    check_password(password)


@pytest.mark.parametrize("password", ["", "7 chars", "x" * 129, "password", "PassWord1", "12345678"])
def test_check_password_short_long_or_common_is_refused(password: str) -> None:
    with pytest.raises(InvalidField) as caught:
        check_password(password, "new_password")
    assert caught.value.field == "new_password"


def test_hash_uses_the_recommended_parameters_and_a_salt() -> None:
    first, second = (Argon2Hasher().hash(PASSWORD.encode()) for _ in range(2))
    assert first.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert first != second


async def test_verify_right_and_wrong_password(passwords: Passwords) -> None:
    encoded = await passwords.hash(PASSWORD)
    assert (await passwords.verify(encoded, PASSWORD)).matches
    assert not (await passwords.verify(encoded, PASSWORD.upper())).matches


async def test_verify_password_typed_in_another_normal_form_matches(passwords: Passwords) -> None:
    encoded = await passwords.hash("caf\u00e9 m\u00fcsik")
    assert (await passwords.verify(encoded, "cafe\u0301 mu\u0308sik")).matches


async def test_verify_text_that_is_no_unicode_does_not_match(passwords: Passwords) -> None:
    assert not (await passwords.verify(await passwords.hash(PASSWORD), "\ud800 and more")).matches


async def test_verify_without_a_hash_does_the_same_work_and_never_matches(
    passwords: Passwords, hasher: CountingHasher
) -> None:
    assert not (await passwords.verify(None, PASSWORD)).matches
    assert hasher.verified == 1


async def test_verify_hash_with_older_parameters_offers_a_new_one(passwords: Passwords) -> None:
    old = Argon2Hasher(passes=1).hash(PASSWORD.encode())
    verdict = await passwords.verify(old, PASSWORD)
    assert verdict.matches
    assert verdict.renewed is not None
    assert await passwords.verify(verdict.renewed, PASSWORD) == type(verdict)(True, None)


async def test_verify_wrong_password_of_older_hash_offers_none(passwords: Passwords) -> None:
    old = Argon2Hasher(passes=1).hash(PASSWORD.encode())
    assert (await passwords.verify(old, "something else")).renewed is None


class GatedHasher(CountingHasher):
    """Hashes once the gate is open."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = threading.Event()
        self.gate.set()

    def hash(self, password: bytes) -> str:
        self.gate.wait(20)
        return super().hash(password)


async def test_hash_with_a_full_queue_is_refused_and_heals() -> None:
    hasher = GatedHasher()
    passwords = Passwords(hasher, threads=2, queue=1)
    hasher.gate.clear()
    waiting = [asyncio.create_task(passwords.hash(PASSWORD)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(Busy):
        await passwords.hash(PASSWORD)
    hasher.gate.set()
    await asyncio.gather(*waiting)
    assert await passwords.hash(PASSWORD)
    passwords.close()


async def test_hash_given_up_keeps_its_place_until_the_thread_is_free() -> None:
    hasher = GatedHasher()
    passwords = Passwords(hasher, threads=1, queue=0)
    hasher.gate.clear()
    task = asyncio.create_task(passwords.hash(PASSWORD))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    with pytest.raises(Busy):
        await passwords.hash(PASSWORD)
    hasher.gate.set()
    await until(lambda: hasher.hashed == 2, "the hash that was given up")
    await until(lambda: passwords.pending == 0, "its place")
    passwords.close()


async def test_hash_for_another_network_is_taken_although_one_has_filled_the_queue() -> None:
    hasher = GatedHasher()
    passwords = Passwords(hasher, threads=1, queue=4)
    hasher.gate.clear()
    crowd = NetworkAccount()
    waiting = [paid_by(new_account(crowd), passwords.hash(PASSWORD)) for _ in range(40)]
    await asyncio.sleep(0)
    other = paid_by(new_account(), passwords.hash(PASSWORD))
    await asyncio.sleep(0)
    hasher.gate.set()
    assert await other
    outcomes = await asyncio.gather(*waiting, return_exceptions=True)
    assert sum(isinstance(outcome, Busy) for outcome in outcomes) == 36
    passwords.close()
