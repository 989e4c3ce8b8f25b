"""Access tokens, and what attackers make of them."""

import base64
import hmac
from pathlib import Path
from typing import Any, Final

import jwt
import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from rhythm_protocol.errors import ErrorCode
from rhythmd.auth.errors import InvalidToken, TokenExpired
from rhythmd.auth.keys import KeyFile, Keys, SecretKeys
from rhythmd.auth.tokens import LEEWAY_S, AccessTokens
from rhythmd.rows import Role
from tests.auth.parts import ManualClock

MINUTES: Final = 15
SECRET: Final = "a secret of at least 32 characters"
MEMBER: Final = frozenset({Role.MEMBER, Role.PRO})


@pytest.fixture
def key_file(tmp_path: Path, clock: ManualClock) -> KeyFile:
    return KeyFile(tmp_path / "keys.json", MINUTES * 60_000, clock)


@pytest.fixture(params=["EdDSA", "HS256"])
def keys(request: pytest.FixtureRequest, key_file: KeyFile) -> Keys:
    return key_file if request.param == "EdDSA" else SecretKeys(SECRET)


def make_tokens(keys: Keys, clock: ManualClock, issuer: str = "here", audience: str = "us") -> AccessTokens:
    return AccessTokens(keys, issuer, audience, MINUTES, clock)


@pytest.fixture
def tokens(keys: Keys, clock: ManualClock) -> AccessTokens:
    return make_tokens(keys, clock)


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def test_verify_own_token_tells_what_was_issued(tokens: AccessTokens, keys: Keys, clock: ManualClock) -> None:
    token, expires = tokens.issue("user", "session", MEMBER)
    claims = tokens.verify(token)
    assert (claims.sub, claims.sid, claims.roles) == ("user", "session", ["member", "pro"])
    assert claims.expires == expires == clock.now + MINUTES * 60_000
    assert not claims.is_guest
    header = jwt.get_unverified_header(token)
    assert (header["alg"], header["kid"]) == (keys.algorithm, keys.current.kid)


def test_issue_twice_gives_two_tokens(tokens: AccessTokens) -> None:
    assert tokens.issue("user", "session", MEMBER) != tokens.issue("user", "session", MEMBER)


def test_verify_guest_token_is_a_guests(tokens: AccessTokens) -> None:
    assert tokens.verify(tokens.issue("guest-1", "session", None)[0]).is_guest


def test_verify_token_of_a_member_without_roles_is_no_guests(tokens: AccessTokens) -> None:
    assert not tokens.verify(tokens.issue("user", "session", frozenset())[0]).is_guest


def test_verify_expired_token_is_refused_after_a_small_leeway(tokens: AccessTokens, clock: ManualClock) -> None:
    token, _ = tokens.issue("user", "session", MEMBER)
    clock.advance(MINUTES * 60 + LEEWAY_S - 1)
    tokens.verify(token)
    clock.advance(1)
    with pytest.raises(TokenExpired) as caught:
        tokens.verify(token)
    assert caught.value.code is ErrorCode.TOKEN_EXPIRED


def test_verify_token_from_the_future_is_refused(tokens: AccessTokens, clock: ManualClock) -> None:
    clock.advance(60)
    token, _ = tokens.issue("user", "session", MEMBER)
    clock.advance(-60)
    with pytest.raises(InvalidToken):
        tokens.verify(token)


def test_verify_token_for_another_audience_is_refused(tokens: AccessTokens, keys: Keys, clock: ManualClock) -> None:
    token, _ = make_tokens(keys, clock, audience="them").issue("user", "session", MEMBER)
    with pytest.raises(InvalidToken):
        tokens.verify(token)


def test_verify_token_of_another_issuer_is_refused(tokens: AccessTokens, keys: Keys, clock: ManualClock) -> None:
    token, _ = make_tokens(keys, clock, issuer="there").issue("user", "session", MEMBER)
    with pytest.raises(InvalidToken):
        tokens.verify(token)


@pytest.mark.parametrize("missing", ["iss", "aud", "sub", "sid", "jti", "iat", "exp", "roles"])
def test_verify_token_without_a_claim_is_refused(tokens: AccessTokens, keys: Keys, missing: str) -> None:
    claims = claims_of(tokens.issue("user", "session", MEMBER)[0])
    del claims[missing]
    key = keys.current
    with pytest.raises(InvalidToken):
        tokens.verify(jwt.encode(claims, key.key, keys.algorithm, {"kid": key.kid}))


@pytest.mark.parametrize(("claim", "value"), [("sub", 1), ("sid", None), ("roles", "admin"), ("exp", "later")])
def test_verify_token_with_a_claim_of_another_type_is_refused(
    tokens: AccessTokens, keys: Keys, claim: str, value: object
) -> None:
    claims = claims_of(tokens.issue("user", "session", MEMBER)[0]) | {claim: value}
    key = keys.current
    with pytest.raises(InvalidToken):
        tokens.verify(jwt.encode(claims, key.key, keys.algorithm, {"kid": key.kid}))


def test_verify_token_signed_with_another_key_is_refused(tokens: AccessTokens, keys: Keys) -> None:
    claims = claims_of(tokens.issue("user", "session", MEMBER)[0])
    other = Ed25519PrivateKey.generate() if keys.algorithm == "EdDSA" else b"another secret of 32 characters or more"
    with pytest.raises(InvalidToken):
        tokens.verify(jwt.encode(claims, other, keys.algorithm, {"kid": keys.current.kid}))


@pytest.mark.parametrize("kid", [None, "", "unknown", "../../etc/passwd"])
def test_verify_token_with_another_kid_is_refused(tokens: AccessTokens, keys: Keys, kid: str | None) -> None:
    claims = claims_of(tokens.issue("user", "session", MEMBER)[0])
    headers = {} if kid is None else {"kid": kid}
    with pytest.raises(InvalidToken):
        tokens.verify(jwt.encode(claims, keys.current.key, keys.algorithm, headers))


@pytest.mark.parametrize("alg", ["none", "None", "NONE", ""])
def test_verify_token_without_a_signature_is_refused(tokens: AccessTokens, keys: Keys, alg: str) -> None:
    _, payload, signature = tokens.issue("user", "session", MEMBER)[0].split(".")
    head = orjson.dumps({"typ": "JWT", "alg": alg, "kid": keys.current.kid})
    header = base64.urlsafe_b64encode(head).rstrip(b"=").decode()
    for forged in (f"{header}.{payload}.", f"{header}.{payload}.{signature}", f"{header}.{payload}"):
        with pytest.raises(InvalidToken):
            tokens.verify(forged)


def test_verify_token_with_changed_claims_is_refused(tokens: AccessTokens) -> None:
    header, payload, signature = tokens.issue("user", "session", MEMBER)[0].split(".")
    claims = orjson.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))) | {"sub": "admin"}
    changed = base64.urlsafe_b64encode(orjson.dumps(claims)).rstrip(b"=").decode()
    with pytest.raises(InvalidToken):
        tokens.verify(f"{header}.{changed}.{signature}")


@pytest.mark.parametrize("token", ["", ".", "..", "a.b.c", "\x00", "ä.ö.ü", "e30.e30.e30", "\ud800.\ud800.\ud800"])
def test_verify_text_that_is_no_token_is_refused(tokens: AccessTokens, token: str) -> None:
    with pytest.raises(InvalidToken):
        tokens.verify(token)


def test_verify_very_long_token_is_refused_unread(tokens: AccessTokens) -> None:
    with pytest.raises(InvalidToken):
        tokens.verify("a" * 5_000)


def _public_key_texts(public: Ed25519PublicKey) -> list[bytes]:
    """The forms in which somebody may know a public key."""
    return [
        public.public_bytes_raw(),
        public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
    ]


def test_verify_public_key_used_as_a_secret_is_refused(key_file: KeyFile, clock: ManualClock) -> None:
    tokens, kid = make_tokens(key_file, clock), key_file.current.kid
    public = key_file.find(kid, clock.now)
    assert isinstance(public, Ed25519PublicKey)
    claims = claims_of(tokens.issue("user", "session", MEMBER)[0])
    for secret in _public_key_texts(public):
        with pytest.raises(InvalidToken):
            tokens.verify(_signed_with_hs256(claims, secret, kid))


def _signed_with_hs256(claims: dict[str, Any], secret: bytes, kid: str) -> str:
    """By hand: the library refuses to sign with a public key."""
    head = orjson.dumps({"typ": "JWT", "alg": "HS256", "kid": kid})
    parts = [base64.urlsafe_b64encode(part).rstrip(b"=") for part in (head, orjson.dumps(claims))]
    signature = base64.urlsafe_b64encode(hmac.digest(secret, b".".join(parts), "sha256")).rstrip(b"=")
    return b".".join([*parts, signature]).decode()


def test_verify_after_rotation_old_and_new_tokens_are_good(key_file: KeyFile, clock: ManualClock) -> None:
    tokens = make_tokens(key_file, clock)
    old, _ = tokens.issue("user", "session", MEMBER)
    key_file.rotate()
    new, _ = tokens.issue("user", "session", MEMBER)
    assert jwt.get_unverified_header(old)["kid"] != jwt.get_unverified_header(new)["kid"]
    assert tokens.verify(old).sub == tokens.verify(new).sub == "user"


def test_verify_again_is_refused_when_the_key_is_dead(key_file: KeyFile, clock: ManualClock) -> None:
    tokens = make_tokens(key_file, clock)
    old, _ = tokens.issue("user", "session", MEMBER)
    key_file.rotate()
    assert tokens.verify(old).sub == "user"
    clock.advance(10 * 86_400)
    with pytest.raises(InvalidToken) as refused:
        tokens.verify(old)
    assert not isinstance(refused.value, TokenExpired)


def test_verify_again_is_refused_when_the_token_has_expired(tokens: AccessTokens, clock: ManualClock) -> None:
    token, expires = tokens.issue("user", "session", MEMBER)
    assert tokens.verify(token) == tokens.verify(token)
    clock.advance((expires - clock.now) / 1_000 + LEEWAY_S)
    with pytest.raises(TokenExpired):
        tokens.verify(token)


def test_verify_after_change_of_secret_tokens_of_the_previous_one_are_good(clock: ManualClock) -> None:
    old, _ = make_tokens(SecretKeys(SECRET), clock).issue("user", "session", MEMBER)
    following = "the secret that comes after the first"
    assert make_tokens(SecretKeys(following, SECRET), clock).verify(old).sub == "user"
    with pytest.raises(InvalidToken):
        make_tokens(SecretKeys(following), clock).verify(old)
