"""A struct's table: its fields are the columns, in order. Structs, maps and sets are kept as JSON text."""

import sqlite3
from collections.abc import Mapping, Sequence
from operator import attrgetter
from typing import Any, Generic, TypeVar

import msgspec
import orjson
from msgspec import Struct

from rhythmd.names.looks import look
from rhythmd.rows import Page, fold
from rhythmd.store.paging import decode_cursor, make_page

__all__ = ["Table", "Value"]

RowT = TypeVar("RowT", bound=Struct)
Value = str | bytes | int | float | None


class Table(Generic[RowT]):
    """A table whose rows are one kind of struct, with the SQL to insert, change and list them.

    Args:
        name: of the table.
        row: the struct.
        json: fields kept as JSON text.
        flags: fields that are true or false; SQLite has integers.
        folded: fields of which a second column, `…_key`, has the folded form.
        flagged: of those fields the ones whose `…_key` is kept only while another field, a flag, is true.
        looked: fields of which another column, `…_look`, has what looks like it. It is set anew with its field only:
            of two rows that looked alike before there was such a column, one has none.
        time: the field that lists are ordered by.
    """

    def __init__(
        self,
        name: str,
        row: type[RowT],
        *,
        json: Sequence[str] = (),
        flags: Sequence[str] = (),
        folded: Sequence[str] = (),
        flagged: Mapping[str, str] | None = None,
        looked: Sequence[str] = (),
        time: str = "created",
    ) -> None:
        self._row = row
        self._json = json
        self._flags = flags
        self._folded = folded
        self._flagged = flagged or {}
        self._looked = looked
        self._time = time
        self._position = attrgetter(time, "id")
        self._fields = row.__struct_fields__
        fields = self._columns = ", ".join(self._fields)
        columns = (*self._fields, *(f"{field}_key" for field in folded))
        looks = [f"{field}_look" for field in looked]
        names, places = ", ".join((*columns, *looks)), ", ".join(f":{column}" for column in (*columns, *looks))
        changes = ", ".join(
            (
                *(f"{column} = :{column}" for column in columns),
                *(f"{f}_look = CASE WHEN {f} = :{f} THEN {f}_look ELSE :{f}_look END" for f in looked),
            )
        )
        self._insert = " ".join(("INSERT INTO", name, "(", names, ") VALUES (", places, ")"))
        self._update = " ".join(("UPDATE", name, "SET", changes, "WHERE id = :id"))
        self._select = " ".join(("SELECT", fields, "FROM", name))
        self._returning = " ".join(("RETURNING", fields))

    def insert(self, connection: sqlite3.Connection, row: RowT, otherwise: str = "") -> None:
        """Add a row; `otherwise` is an ON CONFLICT clause."""
        connection.execute(" ".join((self._insert, otherwise)), self._values(row))

    def replace(self, connection: sqlite3.Connection, row: RowT) -> None:
        """Write a row over the one with its id."""
        connection.execute(self._update, self._values(row))

    def find(self, connection: sqlite3.Connection, where: str, *values: Value) -> RowT | None:
        rows = self.select(connection, " ".join(("WHERE", where)), *values)
        return rows[0] if rows else None

    def select(self, connection: sqlite3.Connection, clauses: str, *values: Value) -> list[RowT]:
        """The rows that a SELECT with these clauses gives."""
        return self._read(connection.execute(" ".join((self._select, clauses)), values))

    def select_from(self, connection: sqlite3.Connection, source: str, *values: Value) -> list[RowT]:
        """Like `select`, where `source` begins with FROM: for rows that are joined with another table."""
        return self._read(connection.execute(" ".join(("SELECT", self._columns, source)), values))

    def change(self, connection: sqlite3.Connection, update: str, *values: Value) -> list[RowT]:
        """Run an UPDATE of this table; the rows that it changed, as they are now."""
        return self._read(connection.execute(" ".join((update, self._returning)), values))

    def _read(self, cursor: sqlite3.Cursor) -> list[RowT]:
        return [self._parse(record) for record in cursor.fetchall()]

    def page(
        self,
        connection: sqlite3.Connection,
        limit: int,
        cursor: str | None,
        where: Mapping[str, Value],
    ) -> Page[RowT]:
        """Newest first.

        Args:
            connection: in the thread.
            limit: rows a page.
            cursor: of the page before.
            where: conditions, each with its value; one whose value is None does not count.
        """
        conditions = {text: value for text, value in where.items() if value is not None}
        values: list[Value] = list(conditions.values())
        texts = list(conditions)
        if cursor is not None:
            texts.append(f"({self._time}, id) < (?, ?)")
            values += decode_cursor(cursor)
        clauses = f"WHERE {' AND '.join(texts) or '1'} ORDER BY {self._time} DESC, id DESC LIMIT ?"
        rows = self.select(connection, clauses, *values, limit + 1)
        return make_page(rows, limit, self._position)

    def _values(self, row: RowT) -> dict[str, Value]:
        values: dict[str, Any] = msgspec.to_builtins(row, builtin_types=(bytes,), order="deterministic")
        for field in self._folded:
            counts = values[field] is not None and values.get(self._flagged.get(field, ""), True)
            values[f"{field}_key"] = fold(values[field]) if counts else None
        for field in self._looked:
            values[f"{field}_look"] = look(values[field])
        for field in self._json:
            values[field] = orjson.dumps(values[field]).decode()
        return values

    def _parse(self, record: tuple[Value, ...]) -> RowT:
        values: dict[str, Any] = dict(zip(self._fields, record, strict=True))
        for field in self._json:
            values[field] = orjson.loads(values[field])
        for field in self._flags:
            values[field] = bool(values[field])
        return msgspec.convert(values, self._row)
