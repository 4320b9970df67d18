"""The embedded inbox: messages in a SQLite file, each ready or claimed by a living consumer's token.

WAL and synchronous FULL: a commit survives SIGKILL and a power cut. Not for network file systems.
"""

from __future__ import annotations

import errno
import json
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from schemas.topology import DELIVERY_LIMIT, REJECTED_QUEUE
from worker.broker import parking
from worker.broker.bounds import excess_of
from worker.broker.embedded import locks
from worker.broker.ports import Rejection
from worker.errors import ConfigurationError, UnavailableError

BUSY_TIMEOUT = 30.0
_QUICK_TIMEOUT = 1.0
# No room, no more open files, a disk that stumbles: no other folder would be better.
_MAY_PASS = (errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EIO)

_SCHEMA = (
    """CREATE TABLE IF NOT EXISTS messages (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        queue TEXT NOT NULL,
        body BLOB NOT NULL,
        properties TEXT NOT NULL,
        claimed_by TEXT,
        deliveries INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX IF NOT EXISTS messages_ready ON messages (queue, id) WHERE claimed_by IS NULL",
    "CREATE INDEX IF NOT EXISTS messages_claimed ON messages (claimed_by, id) WHERE claimed_by IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS messages_commands ON messages (id) WHERE queue = 'writeback.commands'",
    "CREATE TABLE IF NOT EXISTS reply_queues (name TEXT PRIMARY KEY) WITHOUT ROWID",
)
_CLAIM = """UPDATE messages SET claimed_by = ? WHERE id IN (
    SELECT id FROM messages WHERE queue = ? AND claimed_by IS NULL ORDER BY id LIMIT ?
) RETURNING id, queue, body, properties, deliveries"""


@dataclass(frozen=True, slots=True)
class Row:
    """One stored message; `deliveries` is how often it was handed out and came back, `excess` which bound its
    properties exceed."""

    id: int
    queue: str
    body: bytes
    properties: dict[str, Any]
    deliveries: int
    excess: str | None = None


class Inbox:
    """One connection to the inbox under `home`, for one thread; opened, and made if need be, at the first
    use.

    Raises UnavailableError (locked, full, damaged), ConfigurationError (the folder can't be used).
    """

    def __init__(self, home: Path) -> None:
        self._home = home
        self._connection: sqlite3.Connection | None = None
        self._version: int | None = None

    @property
    def claims(self) -> Path:
        """The folder with the life signs of those who claim."""
        return self._home / "claims"

    @property
    def commands_lock(self) -> Path:
        """The file whose lock makes its holder the one consumer of commands."""
        return self._home / "commands.lock"

    @property
    def file(self) -> Path:
        """Where the messages are, once the inbox has been made."""
        return self._home / "inbox.sqlite3"

    def open(self) -> None:
        """Makes folder, file and tables where they are missing (readable by their owner alone)."""
        self._guarded(lambda _connection: None)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def has_changed(self) -> bool:
        """Whether another connection has committed since this was asked last: cheap enough to ask often."""
        version = int(self.query("PRAGMA data_version")[0][0])
        changed, self._version = version != self._version, version
        return changed

    def query(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        rows: list[tuple[Any, ...]] = self._guarded(
            lambda connection: connection.execute(sql, values).fetchall()
        )
        return rows

    def add(self, rows: Iterable[tuple[str, bytes, Mapping[str, Any]]]) -> None:
        """Stores messages (queue, body, properties), all or none."""
        with self.writing() as connection:
            insert(connection, rows)

    def ready(self, queue: str, most: int) -> int:
        """How many messages of the queue are ready; counts up to `most`."""
        sql = "SELECT count(*) FROM (SELECT 1 FROM messages WHERE queue = ? AND claimed_by IS NULL LIMIT ?)"
        return int(self.query(sql, queue, most)[0][0])

    def claim(self, queue: str, token: str, limit: int) -> list[Row]:
        """Claims the oldest ready messages of the queue."""
        with self.writing() as connection:
            rows = connection.execute(_CLAIM, (token, queue, limit)).fetchall()
        return sorted(map(_row, rows), key=lambda row: row.id)

    def settle(self, token: str, ids: Sequence[int]) -> int:
        """Deletes these messages, claimed by the token, all or none; returns how many were."""
        with self.writing() as connection:
            return connection.executemany(
                "DELETE FROM messages WHERE id = ? AND claimed_by = ?", [(one, token) for one in ids]
            ).rowcount

    def give_back(self, token: str, *, quickly: bool = False) -> None:
        """Makes what the token had claimed ready again, once more delivered; what came back too often is
        parked.

        `quickly`: gives up after a second where another process writes; whoever comes next does it then.
        """
        if quickly:
            self.query(f"PRAGMA busy_timeout = {_QUICK_TIMEOUT * 1000:.0f}")
        with self.writing() as connection:
            _park_the_exhausted(connection, token)
            connection.execute(
                "UPDATE messages SET claimed_by = NULL, deliveries = deliveries + 1 WHERE claimed_by = ?",
                (token,),
            )

    def give_back_of_the_dead(self) -> bool:
        """Makes ready again what dead consumers had claimed; true: there was some."""
        dead = [token for token in self._claimants() if not locks.lives(self.claims, token)]
        for token in dead:
            self.give_back(token)
            locks.forget(self.claims, token)
        return bool(dead)

    @contextmanager
    def writing(self) -> Iterator[sqlite3.Connection]:
        """One transaction that is alone in writing from its beginning."""
        connection = self._guarded(lambda connection: connection)
        try:
            connection.execute("BEGIN IMMEDIATE")
            try:
                yield connection
                connection.execute("COMMIT")
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK")
        except sqlite3.Error as error:
            raise self._unavailable(error) from error

    def _claimants(self) -> Iterator[str]:
        """Each token that claims something; one step into the index for each."""
        last = ""
        sql = "SELECT min(claimed_by) FROM messages WHERE claimed_by > ?"
        while (token := self.query(sql, last)[0][0]) is not None:
            last = token
            yield token

    def _guarded(self, action: Callable[[sqlite3.Connection], Any]) -> Any:
        try:
            if self._connection is None:
                self._connection = self._open()
            return action(self._connection)
        except sqlite3.Error as error:
            raise self._unavailable(error) from error
        except OSError as error:
            raise unusable(self._home, error) from error

    def _open(self) -> sqlite3.Connection:
        self._home.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.claims.mkdir(mode=0o700, exist_ok=True)
        self.file.touch(mode=0o600)
        connection = sqlite3.connect(
            self.file,
            timeout=BUSY_TIMEOUT,
            isolation_level=None,
            check_same_thread=False,
            cached_statements=64,
        )
        # Turning to WAL fails at once, without waiting, while another process does the same.
        making = locks.FileLock(self._home / "inbox.lock")
        making.wait()
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            for statement in _SCHEMA:
                connection.execute(statement)
        except BaseException:
            connection.close()
            raise
        finally:
            making.release()
        return connection

    def _unavailable(self, error: sqlite3.Error) -> UnavailableError:
        return UnavailableError(f"the embedded inbox {self.file}: {error}")


def unusable(home: Path, error: OSError) -> UnavailableError | ConfigurationError:
    """What happens next where the folder did not take a file: it may pass, or the setting is wrong."""
    if error.errno in _MAY_PASS:
        return UnavailableError(f"the embedded inbox in {home}: {error.strerror}")
    return ConfigurationError(
        f"WRITEBACK_HOME: the embedded inbox can't be kept in {home} ({error.strerror}): "
        "name a folder that this user may write to"
    )


def insert(connection: sqlite3.Connection, rows: Iterable[tuple[str, bytes, Mapping[str, Any]]]) -> None:
    """Stores messages (queue, body, properties) within a transaction."""
    connection.executemany(
        "INSERT INTO messages (queue, body, properties) VALUES (?, ?, ?)",
        ((queue, body, dump(properties)) for queue, body, properties in rows),
    )


def oldest(connection: sqlite3.Connection, queue: str, limit: int | None = None) -> list[Row]:
    """The oldest ready messages of a queue within a transaction."""
    sql = """SELECT id, queue, body, properties, deliveries FROM messages
        WHERE queue = ? AND claimed_by IS NULL ORDER BY id LIMIT ?"""
    return [_row(row) for row in connection.execute(sql, (queue, -1 if limit is None else limit))]


def dump(properties: Mapping[str, Any]) -> str:
    """Properties as they are stored; what JSON can't hold becomes text."""
    return json.dumps({name: value for name, value in properties.items() if value is not None}, default=str)


def _row(row: tuple[Any, ...]) -> Row:
    number, queue, body, text, deliveries = row
    properties = _loaded(text)
    return Row(number, queue, bytes(body), properties, deliveries, excess_of(properties, len(text)))


def _loaded(text: str) -> dict[str, Any]:
    """Properties as they were stored; nested beyond what can be read at all: none."""
    try:
        properties: dict[str, Any] = json.loads(text)
    except RecursionError:
        return {}
    return properties


def _park_the_exhausted(connection: sqlite3.Connection, token: str) -> None:
    """Parks what has come back as often as the limit allows, as RabbitMQ does."""
    rows = connection.execute(
        "SELECT id, queue, properties FROM messages WHERE claimed_by = ? AND deliveries >= ?",
        (token, DELIVERY_LIMIT),
    ).fetchall()
    for number, queue, text in rows:
        parked = parked_properties(_loaded(text), parking.delivery_limit(), queue)
        connection.execute(
            "UPDATE messages SET queue = ?, properties = ?, claimed_by = NULL, deliveries = 0 WHERE id = ?",
            (REJECTED_QUEUE, dump(parked), number),
        )


def parked_properties(properties: Mapping[str, Any], rejection: Rejection, queue: str) -> dict[str, Any]:
    """The properties of a message that is parked, with the headers that say why."""
    headers = {
        name: value
        for name, value in (properties.get("headers") or {}).items()
        if not parking.is_left_behind_on_parking(name)
    }
    return {**properties, "headers": headers | parking.reason_headers(rejection, queue)}
