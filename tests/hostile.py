"""A database whose defaults are all other than usual."""

from __future__ import annotations

import psycopg
from sqlalchemy.engine import make_url

HOSTILE = {
    "datestyle": "'German'",
    "intervalstyle": "'sql_standard'",
    "timezone": "'Asia/Tokyo'",
    "search_path": "'nowhere'",
    "standard_conforming_strings": "off",
    "client_encoding": "'latin1'",
    "default_transaction_isolation": "'serializable'",
    "lock_timeout": "1",
    "idle_in_transaction_session_timeout": "1",
}


def make_hostile(url: str) -> str:
    """From now on whoever connects meets these defaults; returns the URL."""
    database = make_url(url).database
    with connected(url) as connection:
        for name, value in HOSTILE.items():
            connection.execute(f"ALTER DATABASE {database} SET {name} = {value}".encode())
    return url


def connected(url: str) -> psycopg.Connection[tuple[object, ...]]:
    plain = make_url(url).set(drivername="postgresql").render_as_string(hide_password=False)
    return psycopg.connect(plain, autocommit=True)
