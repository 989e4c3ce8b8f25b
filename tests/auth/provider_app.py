"""Discord's and GitHub's side of a login, as a process: `python -m tests.auth.provider_app`.

Strict where the real ones are: registered redirect URIs, client secrets, PKCE with S256, codes that work once. The
first line of its output is its port. A user consents by a POST to the authorization URL with the fields of `User`, and
`trouble` for an answer that goes wrong.
"""

import time
from collections.abc import Callable
from typing import Final, cast

from authlib.integrations.flask_oauth2 import AuthorizationServer, ResourceProtector
from authlib.oauth2 import OAuth2Error
from authlib.oauth2.rfc6749 import ClientMixin, TokenMixin
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6749.requests import OAuth2Request
from authlib.oauth2.rfc6750 import BearerTokenValidator
from authlib.oauth2.rfc7636 import CodeChallenge
from flask import Flask, Response, jsonify, request
from msgspec import Struct
from werkzeug.serving import make_server

__all__ = ["CLIENT_ID", "CLIENT_SECRET", "HUGE_BYTES", "REDIRECT_URI", "User"]

CLIENT_ID: Final = "1234567890"
CLIENT_SECRET: Final = "the client's secret"
REDIRECT_URI: Final = "http://127.0.0.1/api/v1/auth/oauth/{provider}/callback"
HUGE_BYTES: Final = 1_000_000
SLOW_S: Final = 60.0


class User(Struct, frozen=True, kw_only=True):
    """Somebody at the provider. `trouble` is what happens to answers about them, and at which URL."""

    id: str
    name: str
    email: str = ""
    verified: bool = True
    trouble: str = ""


class Code(Struct, frozen=True, kw_only=True):
    """An authorization code, under the names that authlib asks for."""

    redirect_uri: str
    scope: str
    user: User
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope


class Token(TokenMixin):
    def __init__(self, user: User, scope: str) -> None:
        self.user = user
        self.scope = scope

    def get_scope(self) -> str:
        return self.scope

    def is_expired(self) -> bool:
        return False

    def is_revoked(self) -> bool:
        return False


class Client(ClientMixin):
    """The one that rhythmd is."""

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_allowed_scope(self, scope: object) -> str:
        return str(scope)

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in (REDIRECT_URI.format(provider="discord"), REDIRECT_URI.format(provider="github"))

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return method == "client_secret_post"

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


CODES: Final[dict[str, Code]] = {}
TOKENS: Final[dict[str, Token]] = {}


class CodeGrant(AuthorizationCodeGrant):
    def save_authorization_code(self, code: str, request: OAuth2Request) -> None:
        assert request.payload is not None
        asked = request.payload.data
        CODES[code] = Code(
            redirect_uri=request.payload.redirect_uri,
            scope=request.payload.scope,
            user=cast(User, request.user),
            code_challenge=asked["code_challenge"],
            code_challenge_method=asked["code_challenge_method"],
        )

    def query_authorization_code(self, code: str, client: ClientMixin) -> Code | None:
        """A code works once, whether what comes with it is right or not."""
        return CODES.pop(code, None)

    def delete_authorization_code(self, authorization_code: Code) -> None:
        """It is gone since it was looked at."""

    def authenticate_user(self, authorization_code: Code) -> User:
        return authorization_code.user


class StrictChallenge(CodeChallenge):
    """Only S256."""


CodeGrant.TOKEN_ENDPOINT_AUTH_METHODS = ["client_secret_post"]
StrictChallenge.SUPPORTED_CODE_CHALLENGE_METHOD = ["S256"]


class TokenValidator(BearerTokenValidator):
    def authenticate_token(self, token_string: str) -> Token | None:
        return TOKENS.get(token_string)


def _save_token(token: dict[str, str], request: OAuth2Request) -> None:
    TOKENS[token["access_token"]] = Token(cast(User, request.user), token.get("scope", ""))


app: Final = Flask(__name__)
server: Final = AuthorizationServer(app, query_client={CLIENT_ID: Client()}.get, save_token=_save_token)
server.register_grant(CodeGrant, [StrictChallenge(required=True)])
find_grant: Final[Callable[..., CodeGrant]] = server.get_consent_grant
protected: Final = ResourceProtector()
protected.register_token_validator(TokenValidator())


@app.post("/oauth2/authorize")
@app.post("/login/oauth/authorize")
def authorize() -> Response:
    """The consent, or with `deny` its refusal. The query is what the browser was sent with."""
    if request.args.get("code_challenge_method") != "S256" or not request.args.get("state"):
        return Response("PKCE with S256, and a state", 400)
    form = request.form
    user = User(
        id=form.get("id", ""),
        name=form.get("name", ""),
        email=form.get("email", ""),
        verified=form.get("verified") == "yes",
        trouble=form.get("trouble", ""),
    )
    try:
        grant = find_grant(end_user=user)
    except OAuth2Error as error:
        return Response(str(error), 400)
    grant_user = None if "deny" in form else user
    return cast(Response, server.create_authorization_response(request, grant_user=grant_user, grant=grant))


def _trouble(user: User, place: str) -> Response | None:
    """What goes wrong at `place`: `user.trouble` is `place:kind`."""
    where, _, kind = user.trouble.partition(":")
    if where != place:
        return None
    if kind == "slow":
        time.sleep(SLOW_S)
    answers = {
        "garbage": Response("<html>", 200),
        "empty": Response("{}", 200, mimetype="application/json"),
        "huge": Response(b"[" + b" " * HUGE_BYTES + b"]", 200, mimetype="application/json"),
        "error": Response("{}", 500),
        "busy": Response("{}", 429),
        "redirect": Response("", 302, {"Location": "/elsewhere"}),
    }
    return answers.get(kind)


def _exchange() -> Response:
    code = CODES.get(request.form.get("code", ""))
    trouble = _trouble(code.user, "token") if code else None
    if trouble is not None:
        return trouble
    return cast(Response, server.create_token_response())


@app.post("/api/oauth2/token")
def discord_token() -> Response:
    return _exchange()


@app.post("/login/oauth/access_token")
def github_token() -> Response:
    """Errors come with status 200, and what does not ask for JSON gets a form."""
    if request.headers.get("Accept") != "application/json":
        return Response("access_token=form", 200)
    response = _exchange()
    if response.status_code in (400, 401):
        response.status_code = 200
    return response


@app.get("/api/users/@me")
def discord_user() -> Response:
    with protected.acquire("identify") as token:
        user = token.user
        email = {"email": user.email, "verified": user.verified} if "email" in token.get_scope().split() else {}
        return _trouble(user, "profile") or jsonify(id=user.id, username=user.name, global_name="N", **email)


@app.get("/user")
def github_user() -> Response:
    with protected.acquire("read:user") as token:
        return _trouble(token.user, "profile") or jsonify(id=int(token.user.id), login=token.user.name, email=None)


@app.get("/user/emails")
def github_emails() -> Response:
    with protected.acquire("user:email") as token:
        user = token.user
        other = {"email": "other@example.org", "primary": False, "verified": True, "visibility": None}
        primary = {"email": user.email, "primary": True, "verified": user.verified, "visibility": "private"}
        return _trouble(user, "emails") or jsonify([other, primary] if user.email else [])


def main() -> None:
    listener = make_server("127.0.0.1", 0, app, threaded=True)
    print(listener.server_port, flush=True)  # noqa: T201 - what the test waits for
    listener.serve_forever()


if __name__ == "__main__":
    main()
