"""Changes of what can be set: a room, the configuration, login providers."""

import json
from typing import Any, Final

import msgspec

from tests.changes.protocol import CLIENT, HOLD_PROTOCOL, PACKAGE, PAGE, VECTORS
from tests.changes.tree import Tree, recipe

__all__: list[str] = []

SECTIONS: Final = "rhythmd/config/sections.py"
FILE: Final = "config.toml"
LAST_SETTING: Final = "playout_ms"
ENCODERS: Final = {
    "rhythm.v1": lambda value: {"hex": f"10 {msgspec.msgpack.encode(value).hex()}"},
    "rhythm.v1.json": lambda value: {"text": msgspec.json.encode(value).decode()},
}


def with_setting(value: Any) -> Any:
    """`value` with the new setting in each whole set of settings, changed or not."""
    if isinstance(value, list):
        return [with_setting(item) for item in value]
    if not isinstance(value, dict):
        return value
    made = {key: with_setting(item) for key, item in value.items()}
    return made | {"needs_tuner": False} if {"max_players", "allow_replay"} <= made.keys() else made


def add_to_vectors(tree: Tree, path: str) -> None:
    """Give all rooms of the golden vectors the new setting."""
    file = json.loads(tree.read(path))
    for vector in file["vectors"]:
        changed = {key: with_setting(vector[key]) for key in ("value", "message") if key in vector}
        if any(vector[key] != value for key, value in changed.items()):
            vector |= changed | ENCODERS[vector["subprotocol"]](changed["value"])
    tree.write(path, json.dumps(file, ensure_ascii=False))


@recipe("a room setting")
def room_setting(tree: Tree) -> None:
    values = f"{PACKAGE}/values.py"
    tree.after(values, "    playout_ms: PlayoutMs | None = None\n", "    needs_tuner: bool = False\n")
    tree.after(
        CLIENT, "    playout_ms: PlayoutMs | UnsetType | None = UNSET\n", "    needs_tuner: bool | UnsetType = UNSET\n"
    )
    rule = """        if self.settings.needs_tuner and member.player.name != "Tuner":
            return ErrorCode.NOTES_MUTED
"""
    tree.before("rhythmd/hub/rooms/room.py", "        if self.settings.only_owner_can_play", rule)
    known = "null: as it is measured |\n"
    tree.after(PAGE, known, "| `needs_tuner` | boolean | false | only `Tuner` may play |\n")
    for direction in ("client", "server"):
        add_to_vectors(tree, f"{VECTORS}/control-{direction}.json")
    tree.check(HOLD_PROTOCOL, """
        from rhythmd.rest.resources.inputs import RoomChange
        from tests.changes.probes import ask
        from tests.hub.manual import ManualHub
        manual = ManualHub()
        owner, guest = manual.connect(), manual.connect()
        ask(owner, "join-room", {"room": "Salon", "create": True})
        ask(owner, "room-update", {"settings": {"needs_tuner": True}})
        assert ask(guest, "join-room", {"room": "Salon"})["room"]["settings"]["needs_tuner"] is True
        room, member = guest.session.place
        assert room.may_play(member) == "notes-muted"
        guest.say("user-update", {"name": "Tuner"})
        assert room.may_play(member) is None
        assert "needs_tuner" in RoomChange.__struct_fields__
    """)  # fmt: skip


def add_keys(tree: Tree, last_field: str, fields: str, next_section: str, lines: str) -> None:
    """Keys of the configuration, in the struct behind its last field, and in the file at the end of the section."""
    tree.after(SECTIONS, last_field, fields)
    tree.before(FILE, f"\n[{next_section}]\n", lines)


HOLD_FILE: Final = """
from tests.test_config import test_file_holds_every_key_with_its_default as held
held()
"""


@recipe("a configuration key")
def configuration_key(tree: Tree) -> None:
    add_keys(tree, "    kept_per_account: Positive = 20\n", "    strings: Positive = 230\n",
             "quota", "strings = 230   # of each piano\n")  # fmt: skip
    tree.check(HOLD_FILE, """
        from rhythmd.config import load_config
        from rhythmd.errors import ConfigError
        assert load_config(None, {}, ["rooms.strings=88"]).rooms.strings == 88
        assert load_config(None, {"RHYTHMD_ROOMS__STRINGS": "85"}).rooms.strings == 85
        try:
            load_config(None, {}, ["rooms.strings=0"])
        except ConfigError:
            pass
        else:
            raise AssertionError
    """)  # fmt: skip


@recipe("a login provider")
def login_provider(tree: Tree) -> None:
    add_keys(
        tree,
        '    github_client_secret: str = ""\n',
        '    salon_client_id: str = ""\n    salon_client_secret: str = ""\n',
        "workers",
        'salon_client_id = ""    # for logins through Salon\nsalon_client_secret = ""    # its secret\n',
    )
    tree.replace("rhythmd/config/relations.py", '("discord", "github")', '("discord", "github", "salon")')
    row = """        Provider(
            name="salon",
            title="Salon",
            client_id=config.salon_client_id,
            client_secret=config.salon_client_secret,
            authorize_url="https://salon.example/authorize",
            token_url="https://salon.example/token",
            profile_urls=("https://salon.example/me",),
            scopes=("me",),
            read=_read_discord,
        ),
"""
    tree.before("rhythmd/auth/providers.py", '        Provider(\n            name="github"', row)
    tree.check(HOLD_FILE, """
        from rhythmd.auth.providers import providers
        from rhythmd.config import load_config
        from rhythmd.errors import ConfigError
        given = ["auth.salon_client_id=a", "auth.salon_client_secret=b", "server.public_url=https://piano.example"]
        assert providers(load_config(None, {}, given).auth)["salon"].title == "Salon"
        try:
            load_config(None, {}, given[:1])
        except ConfigError as error:
            assert "salon" in str(error)
        else:
            raise AssertionError
    """)  # fmt: skip
