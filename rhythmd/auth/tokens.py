"""Access tokens: signed JWTs (RFC 7519, RFC 8725) that identify a user for a quarter of an hour."""

from typing import Final, NamedTuple

import jwt
import msgspec
from msgspec import Struct

from rhythmd.auth.errors import InvalidToken, TokenExpired
from rhythmd.auth.keys import Keys, VerifyKey
from rhythmd.auth.secret import new_id
from rhythmd.auth.values import Clock
from rhythmd.bounded import BoundedDict
from rhythmd.rows import Role

__all__ = ["GUEST", "AccessTokens", "Claims"]

GUEST: Final = "guest"
"""Stands in `roles` of one who has no account."""

LEEWAY_S: Final = 5
MAX_LENGTH: Final = 4_096
PROVEN: Final = 4_096
REQUIRED: Final = ["iss", "aud", "sub", "sid", "jti", "iat", "exp"]


class Claims(Struct, frozen=True, kw_only=True):
    """An access token's claims (RFC 7519, 4). `sub` is the user's id, `sid` the session's; times are Unix seconds."""

    sub: str
    sid: str
    jti: str
    iat: int
    exp: int
    roles: list[str]

    @property
    def is_guest(self) -> bool:
        return self.roles == [GUEST]

    @property
    def expires(self) -> int:
        """Unix ms."""
        return self.exp * 1_000


class _Proven(NamedTuple):
    """The claims of a token whose signature by the key `kid` was checked."""

    kid: str
    claims: Claims


class AccessTokens:
    """Issues and verifies access tokens.

    It remembers which ones had a good signature: checking one is the dearest part of a request that has a token.

    Args:
        keys: that sign and check, and with that the algorithm.
        issuer: the `iss` claim.
        audience: the `aud` claim.
        minutes: that a token is good for.
        clock: Unix ms.
    """

    def __init__(self, keys: Keys, issuer: str, audience: str, minutes: int, clock: Clock) -> None:
        self._keys = keys
        self._issuer = issuer
        self._audience = audience
        self._lifetime_s = minutes * 60
        self._clock = clock
        self._proven: BoundedDict[str, _Proven] = BoundedDict(PROVEN)

    def issue(self, user_id: str, session_id: str, roles: frozenset[Role] | None) -> tuple[str, int]:
        """A token and its end in Unix ms. Roles of None: a guest's."""
        now = self._clock() // 1_000
        claims = {
            "iss": self._issuer,
            "aud": self._audience,
            "sub": user_id,
            "sid": session_id,
            "jti": new_id(),
            "iat": now,
            "exp": now + self._lifetime_s,
            "roles": [GUEST] if roles is None else sorted(roles),
        }
        key = self._keys.current
        token = jwt.encode(claims, key.key, algorithm=self._keys.algorithm, headers={"kid": key.kid})
        return token, (now + self._lifetime_s) * 1_000

    def verify(self, token: str) -> Claims:
        """Raises InvalidToken, TokenExpired."""
        now_ms = self._clock()
        proven = self._proven.get(token)
        if proven is None or self._keys.find(proven.kid, now_ms) is None:
            proven = self._prove(token, now_ms)
        claims, now = proven.claims, now_ms // 1_000
        if claims.iat > now + LEEWAY_S:
            raise InvalidToken
        if claims.exp + LEEWAY_S <= now:
            raise TokenExpired
        return claims

    def _prove(self, token: str, now_ms: int) -> _Proven:
        kid, key = self._find_key(token, now_ms)
        proven = self._proven[token] = _Proven(kid, self._decode(token, key))
        return proven

    def _find_key(self, token: str, now_ms: int) -> tuple[str, VerifyKey]:
        if len(token) > MAX_LENGTH or not token.isascii():
            raise InvalidToken
        try:
            kid = jwt.get_unverified_header(token).get("kid")
        except jwt.InvalidTokenError:
            raise InvalidToken from None
        key = self._keys.find(kid, now_ms) if isinstance(kid, str) else None
        if not isinstance(kid, str) or key is None:
            raise InvalidToken
        return kid, key

    def _decode(self, token: str, key: VerifyKey) -> Claims:
        """The claims of a token that `key` signed. Its times are left to the caller, who has the clock."""
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[self._keys.algorithm],  # Never what the token's header asks for.
                issuer=self._issuer,
                audience=self._audience,
                options={"require": REQUIRED, "verify_exp": False, "verify_iat": False},
            )
            return msgspec.convert(claims, Claims)
        except (jwt.InvalidTokenError, msgspec.ValidationError):
            raise InvalidToken from None
