"""What we rely on in a session of PostgreSQL, set by us: no default of the server, a database or a role matters.

It is set for each transaction anew, together with its BEGIN in one message: that costs no round trip, and holds
behind PgBouncer in transaction mode, where each transaction may be on another of the server's connections.
"""

from __future__ import annotations

import re

from sqlalchemy.engine import URL

from worker.errors import ConfigurationError

# Shorter than a lease (30 s): a worker that is stopped in the middle of a write lets go of its locks before others
# take its runs over. No write of ours waits for anything but the database. A read may: rows are streamed to a
# destination.
_SLEEP_MS = {"writes": 20_000, "reads": 0}
_LOCK_MS = 300_000  # a save of a million rows may hold others up; a lock for longer is somebody else's
_DEFAULT_PATH = '"$user", public'  # PostgreSQL's own

_ARGUMENT = re.compile(r"((?:\\.|[^\s\\])+)", re.DOTALL)  # a backslash takes what follows as it is
_SCHEMA = re.compile(r'\s*(?:"((?:[^"]|"")+)"|([^\W\d][\w$]*|\$user))\s*')


def begin_statements(search_path: str | None = None) -> dict[str, str]:
    """{`reads`, `writes`: the statements that begin such a transaction}, several in one string.

    The program counts on READ COMMITTED: who waits for a row must see what the one before has written.
    """
    return {
        kind: "; ".join(_statements(search_path or _DEFAULT_PATH, idle)) for kind, idle in _SLEEP_MS.items()
    }


def _statements(search_path: str, idle: int) -> list[str]:
    return [
        "BEGIN ISOLATION LEVEL READ COMMITTED",
        "SET LOCAL datestyle = 'ISO, MDY'",
        "SET LOCAL intervalstyle = 'postgres'",
        "SET LOCAL timezone = 'UTC'",
        f"SET LOCAL search_path = {search_path}",
        "SET LOCAL standard_conforming_strings = on",
        f"SET LOCAL lock_timeout = {_LOCK_MS}",
        f"SET LOCAL idle_in_transaction_session_timeout = {idle}",
    ]


def own_search_path(url: URL) -> tuple[URL, str | None]:
    """The URL without the search_path that its `options` name, and that search_path as SQL has it: at the start of
    a session PgBouncer would refuse it. Raises ConfigurationError where it is no list of schemas."""
    given = url.query.get("options")
    if not isinstance(given, str):
        return url, None
    kept, path = list[str](), None
    for name, argument in _settings(given):
        if name == "search_path":
            path = argument
        else:
            kept.append(argument)
    if path is None:
        return url, None
    rest = url.difference_update_query(["options"])
    return (rest.update_query_dict({"options": " ".join(kept)}) if kept else rest), _schemas(path)


def _settings(options: str) -> list[tuple[str, str]]:
    """Each of libpq's `options`: (`search_path`, its value), or ("", the argument as it stands)."""
    found, arguments = list[tuple[str, str]](), _ARGUMENT.findall(options)
    while arguments:
        argument = arguments.pop(0)
        if argument == "-c" and arguments:
            argument = f"-c{arguments.pop(0)}"
        name, _, value = argument.removeprefix("--").removeprefix("-c").partition("=")
        if name.strip().lower().replace("-", "_") == "search_path" and argument.startswith("-"):
            found.append(("search_path", re.sub(r"\\(.)", r"\1", value)))
        else:
            found.append(("", argument))
    return found


def _schemas(path: str) -> str:
    """The schemas, each quoted: a name without quotes is in small letters, as SQL reads it."""
    names = list[str]()
    position = 0
    while found := _SCHEMA.match(path, position):
        quoted, bare = found.groups()
        names.append(f'"{quoted}"' if quoted else f'"{bare.lower()}"')
        position = found.end() + 1
        if path[found.end() : position] != ",":
            break
    if not names or position <= len(path) or "%" in path:
        raise ConfigurationError(
            "DATABASE_URL: its options name a search_path that is no list of schemas; options=-csearch_path=one,two is"
        )
    return ", ".join(names)
