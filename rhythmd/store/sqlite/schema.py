"""The tables, as steps from each version to the next. A step that has been released is never changed.

The file's version is SQLite's `user_version`. A step and its version are committed together: a process killed
half-way leaves the version before.
"""

import sqlite3
from collections.abc import Sequence
from typing import Final

from rhythmd.names.looks import look
from rhythmd.ports import SchemaTooNew

__all__ = ["MIGRATIONS", "Migration", "migrate"]

Migration = Sequence[str]

_FIRST: Final[Migration] = (
    """
    CREATE TABLE accounts (
        id TEXT PRIMARY KEY,
        usertag TEXT NOT NULL,
        usertag_key TEXT NOT NULL UNIQUE,
        username TEXT NOT NULL,
        nickname TEXT NOT NULL,
        created INTEGER NOT NULL,
        updated INTEGER NOT NULL,
        email TEXT,
        email_key TEXT UNIQUE,
        email_verified INTEGER NOT NULL,
        password_hash TEXT,
        roles TEXT NOT NULL,
        colour TEXT NOT NULL,
        status_text TEXT NOT NULL,
        profile TEXT NOT NULL,
        settings TEXT NOT NULL,
        banned_until INTEGER,
        ban_reason TEXT NOT NULL,
        muted_until INTEGER
    ) STRICT
    """,
    "CREATE INDEX accounts_by_created ON accounts (created, id)",
    """
    CREATE TABLE identities (
        provider TEXT NOT NULL,
        subject TEXT NOT NULL,
        user_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
        name TEXT NOT NULL,
        created INTEGER NOT NULL,
        PRIMARY KEY (provider, subject),
        UNIQUE (user_id, provider)
    ) STRICT, WITHOUT ROWID
    """,
    """
    CREATE TABLE sessions (
        id TEXT PRIMARY KEY,
        user_id TEXT NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
        token_hash BLOB NOT NULL UNIQUE,
        created INTEGER NOT NULL,
        last_used INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        user_agent TEXT NOT NULL,
        address TEXT NOT NULL,
        revoked INTEGER
    ) STRICT
    """,
    "CREATE INDEX sessions_by_user ON sessions (user_id, created, id)",
    "CREATE INDEX sessions_by_expires ON sessions (expires)",
    """
    CREATE TABLE spent_tokens (
        hash BLOB PRIMARY KEY,
        session_id TEXT NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
        expires INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX spent_tokens_by_session ON spent_tokens (session_id)",
    "CREATE INDEX spent_tokens_by_expires ON spent_tokens (expires)",
    """
    CREATE TABLE rooms (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        name_key TEXT NOT NULL UNIQUE,
        owner_id TEXT,
        settings TEXT NOT NULL,
        created INTEGER NOT NULL,
        updated INTEGER NOT NULL,
        password_hash TEXT,
        type TEXT NOT NULL GENERATED ALWAYS AS (json_extract(settings, '$.type')) VIRTUAL
    ) STRICT
    """,
    "CREATE INDEX rooms_by_created ON rooms (created, id)",
    "CREATE INDEX rooms_by_type ON rooms (type, created, id)",
    "CREATE INDEX rooms_by_owner ON rooms (owner_id, created, id)",
    """
    CREATE TABLE sanctions (
        room_id TEXT NOT NULL REFERENCES rooms (id) ON DELETE CASCADE,
        subject TEXT NOT NULL,
        kind TEXT NOT NULL,
        until INTEGER NOT NULL,
        created INTEGER NOT NULL,
        reason TEXT NOT NULL,
        by TEXT,
        PRIMARY KEY (room_id, subject, kind)
    ) STRICT
    """,
    "CREATE INDEX sanctions_by_until ON sanctions (until)",
    """
    CREATE TABLE chat (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        room_id TEXT NOT NULL,
        time INTEGER NOT NULL,
        kind TEXT NOT NULL,
        content TEXT NOT NULL,
        user_id TEXT,
        name TEXT,
        colour TEXT
    ) STRICT
    """,
    "CREATE INDEX chat_by_room ON chat (room_id, id)",
    """
    CREATE TABLE audit (
        id TEXT PRIMARY KEY,
        time INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        action TEXT NOT NULL,
        actor_id TEXT,
        target TEXT,
        address TEXT NOT NULL,
        user_agent TEXT NOT NULL,
        details TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX audit_by_time ON audit (time, id)",
    "CREATE INDEX audit_by_actor ON audit (actor_id, time, id)",
    "CREATE INDEX audit_by_target ON audit (target, time, id)",
    "CREATE INDEX audit_by_action ON audit (action, time, id)",
    "CREATE INDEX audit_by_expires ON audit (expires)",
)

_RECORDINGS: Final[Migration] = (
    """
    CREATE TABLE recordings (
        id TEXT PRIMARY KEY,
        name TEXT NOT NULL,
        room_id TEXT NOT NULL,
        room TEXT NOT NULL,
        owner_id TEXT NOT NULL,
        created INTEGER NOT NULL,
        expires INTEGER NOT NULL,
        duration_ms INTEGER NOT NULL,
        size INTEGER NOT NULL,
        players INTEGER NOT NULL,
        key_hash BLOB NOT NULL
    ) STRICT
    """,
    "CREATE INDEX recordings_by_expires ON recordings (expires)",
    "CREATE INDEX recordings_by_owner ON recordings (owner_id, expires)",
    "CREATE INDEX recordings_by_room ON recordings (room_id, expires)",
    """
    CREATE TABLE recording_presences (
        user_id TEXT NOT NULL,
        recording_id TEXT NOT NULL REFERENCES recordings (id) ON DELETE CASCADE,
        PRIMARY KEY (user_id, recording_id)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX recording_presences_by_recording ON recording_presences (recording_id)",
)

# The words of a sheet come ready made from `rhythmd.store.sqlite.sheet_index`, with spaces between them: the tokenizer
# "ascii" takes every character beyond ASCII as one of a word, so it splits at these spaces alone.
_SHEETS: Final[Migration] = (
    """
    CREATE TABLE sheet_files (
        hash TEXT PRIMARY KEY,
        id TEXT NOT NULL UNIQUE,
        extension TEXT NOT NULL,
        size INTEGER NOT NULL,
        midi_size INTEGER NOT NULL,
        facts TEXT NOT NULL,
        created INTEGER NOT NULL,
        used INTEGER NOT NULL
    ) STRICT
    """,
    "CREATE INDEX sheet_files_by_used ON sheet_files (used)",
    """
    CREATE TABLE sheets (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        id TEXT NOT NULL UNIQUE,
        hash TEXT NOT NULL REFERENCES sheet_files (hash),
        size INTEGER NOT NULL,
        file_name TEXT NOT NULL,
        title TEXT NOT NULL,
        artist TEXT NOT NULL,
        album TEXT NOT NULL,
        description TEXT NOT NULL,
        tags TEXT NOT NULL,
        difficulty TEXT NOT NULL,
        privacy TEXT NOT NULL,
        approval TEXT NOT NULL,
        rejection TEXT NOT NULL,
        creator_id TEXT NOT NULL,
        creator TEXT NOT NULL,
        created INTEGER NOT NULL,
        updated INTEGER NOT NULL,
        views INTEGER NOT NULL,
        category TEXT NOT NULL,
        tempo REAL NOT NULL,
        key TEXT NOT NULL,
        time_signature TEXT NOT NULL,
        duration_ms INTEGER NOT NULL,
        notes INTEGER NOT NULL,
        parts INTEGER NOT NULL,
        remarks TEXT NOT NULL
    ) STRICT
    """,
    "CREATE INDEX sheets_by_hash ON sheets (hash)",
    "CREATE INDEX sheets_by_views ON sheets (views, number)",
    "CREATE INDEX sheets_found ON sheets (number, views, category, difficulty, tags)",
    """
    CREATE TABLE favorites (
        user_id TEXT NOT NULL,
        number INTEGER NOT NULL REFERENCES sheets (number) ON DELETE CASCADE,
        created INTEGER NOT NULL,
        PRIMARY KEY (user_id, number)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX favorites_by_number ON favorites (number)",
    """
    CREATE TABLE sheet_uploads (
        user_id TEXT NOT NULL,
        day INTEGER NOT NULL,
        count INTEGER NOT NULL,
        PRIMARY KEY (user_id, day)
    ) STRICT, WITHOUT ROWID
    """,
    "CREATE INDEX sheet_uploads_by_day ON sheet_uploads (day)",
    """
    CREATE VIRTUAL TABLE sheet_words
    USING fts5 (title_words, other_words, tokenize = 'ascii', prefix = '1 2 3', detail = 'column')
    """,
    # The role was called so while it gave no rights.
    """UPDATE accounts SET roles = replace(roles, '"sheet-editor"', '"editor"') WHERE roles LIKE '%"sheet-editor"%'""",
)

_AVATARS: Final[Migration] = (
    """
    CREATE INDEX accounts_by_avatar ON accounts (json_extract(profile, '$.avatar'))
    WHERE json_extract(profile, '$.avatar') != ''
    """,
)

# Of older names that look alike the first one has its look, the others have none: all stay as they are.
_PEOPLE: Final[Migration] = (
    "ALTER TABLE accounts ADD COLUMN usertag_look TEXT",
    "UPDATE accounts SET usertag_look = look(usertag)",
    """
    UPDATE accounts SET usertag_look = NULL
    WHERE rowid NOT IN (SELECT min(rowid) FROM accounts GROUP BY usertag_look)
    """,
    "CREATE UNIQUE INDEX accounts_by_look ON accounts (usertag_look)",
    "ALTER TABLE rooms ADD COLUMN name_look TEXT",
    "UPDATE rooms SET name_look = look(name)",
    "UPDATE rooms SET name_look = NULL WHERE rowid NOT IN (SELECT min(rowid) FROM rooms GROUP BY name_look)",
    "CREATE UNIQUE INDEX rooms_by_look ON rooms (name_look)",
    "ALTER TABLE sanctions ADD COLUMN name TEXT NOT NULL DEFAULT ''",
)

_TRACES: Final[Migration] = (
    "ALTER TABLE sanctions ADD COLUMN rank INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE sanctions ADD COLUMN guest INTEGER NOT NULL DEFAULT 1",
    "ALTER TABLE accounts ADD COLUMN ban_rank INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE accounts ADD COLUMN mute_rank INTEGER NOT NULL DEFAULT 0",
    "ALTER TABLE sessions ADD COLUMN browser TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX sessions_by_revoked ON sessions (revoked) WHERE revoked IS NOT NULL",
    "CREATE TABLE probes (id INTEGER PRIMARY KEY, time INTEGER NOT NULL) STRICT",
)

_SHARES: Final[Migration] = (
    "ALTER TABLE recordings ADD COLUMN guest_network TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX recordings_by_guest_network ON recordings (guest_network, expires) WHERE guest_network > ''",
)

_ACCOUNT_SHARES: Final[Migration] = (
    "ALTER TABLE recordings ADD COLUMN account_network TEXT NOT NULL DEFAULT ''",
    "CREATE INDEX recordings_by_account_network ON recordings (account_network, expires) WHERE account_network > ''",
)

_RESTARTS: Final[Migration] = (
    "ALTER TABLE accounts ADD COLUMN muted_since INTEGER",
    "CREATE INDEX accounts_by_muted_since ON accounts (muted_since) WHERE muted_since IS NOT NULL",
    "ALTER TABLE accounts ADD COLUMN avatar_network TEXT NOT NULL DEFAULT ''",
    "ALTER TABLE sheet_files ADD COLUMN network TEXT NOT NULL DEFAULT ''",
)

# An address is an account's only once it is verified there.
_VERIFIED_ADDRESSES: Final[Migration] = ("UPDATE accounts SET email_key = NULL WHERE NOT email_verified",)

MIGRATIONS: Final[Sequence[Migration]] = (
    _FIRST, _RECORDINGS, _SHEETS, _AVATARS, _PEOPLE, _TRACES, _SHARES, _ACCOUNT_SHARES, _RESTARTS,
    _VERIFIED_ADDRESSES,
)  # fmt: skip


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _step(connection: sqlite3.Connection, migration: Migration, version: int) -> None:
    for statement in migration:
        connection.execute(statement)
    connection.execute(f"PRAGMA user_version = {version}")


def migrate(connection: sqlite3.Connection, migrations: Sequence[Migration] = MIGRATIONS) -> None:
    """Bring the file to the newest version, one transaction a step.

    The version is read again under the lock: another process may have been faster.

    Raises:
        SchemaTooNew: the file's version is above that of the last migration.
    """
    connection.create_function("look", 1, look, deterministic=True)
    version = _version(connection)
    while version < len(migrations):
        connection.execute("BEGIN IMMEDIATE")
        version = _version(connection)
        if version < len(migrations):
            version += 1
            _step(connection, migrations[version - 1], version)
        connection.execute("COMMIT")
    if version > len(migrations):
        raise SchemaTooNew(
            f"the database has version {version}, this program knows versions up to {len(migrations)}: "
            "use the newer program, or the copy from before the upgrade"
        )
