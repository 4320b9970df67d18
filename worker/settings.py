"""The environment, read once at start and validated; everything else is handed the result."""

from __future__ import annotations

import difflib
import os
import re
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from worker.allowed_hosts import AllowedHosts, read_allowed_hosts
from worker.district_locks import Locks, read_locks
from worker.errors import ConfigurationError
from worker.senders import Senders, read_senders

LOG_LEVELS = ("debug", "info", "warning", "error")
DATABASE_DRIVERS = ("sqlite", "postgresql+psycopg", "postgresql")
BROKER_SCHEMES = ("amqp", "amqps")
DEFAULT_OPS_ADDRESS = "127.0.0.1:9464"
DEFAULT_CONSOLE_ADDRESS = "127.0.0.1:8080"
ENV_FILE = "WRITEBACK_ENV_FILE"
#: Every variable that begins with WRITEBACK_ and means something: what is in neither is told as a likely slip.
VARIABLES = (
    "WRITEBACK_HOME",
    "WRITEBACK_SECRETS_DIR",
    "WRITEBACK_DESTINATION_ROOTS",
    "WRITEBACK_ALLOWED_HOSTS",
    "WRITEBACK_CA_FILE",
    "WRITEBACK_SECRETS_KEY",
    "WRITEBACK_SECRETS_KEY_FILE",
    "WRITEBACK_SENDERS",
    "WRITEBACK_LOCKS",
    ENV_FILE,
    "WRITEBACK_OPS_ADDRESS",
    "WRITEBACK_CONSOLE_ADDRESS",
    "WRITEBACK_BATCH_SIZE",
    "WRITEBACK_LINGER_MS",
    "WRITEBACK_RETAIN_DAYS",
    "WRITEBACK_LOG_FORMAT",
    "WRITEBACK_LOG_LEVEL",
)
_FAMILIES = ("WRITEBACK_SECRET_", "WRITEBACK_TEST_")  # named by whoever writes definitions, and by tests
_OURS = "WRITEBACK_"


_is_scheme = re.compile(r"[a-z][a-z0-9+.-]{0,30}").fullmatch


@dataclass(frozen=True, slots=True)
class ListenAddress:
    """Where a server listens."""

    host: str
    port: int


@dataclass(frozen=True, slots=True)
class Settings:
    """One process's configuration. `broker_url` None: the embedded inbox; `senders` None: everybody may send
    everything; addresses None: off."""

    broker_url: str | None
    database_url: str
    home: Path
    destination_roots: tuple[Path, ...]
    secrets_dir: Path | None
    allowed_hosts: AllowedHosts
    ca_file: Path | None
    env_file: Path | None
    senders: Senders | None
    locks: Locks
    ops_address: ListenAddress | None
    ops_address_is_default: bool
    console_address: ListenAddress | None
    batch_size: int
    linger: float
    retain_days: int
    log_format: str
    log_level: str
    environment: Mapping[str, str]

    @property
    def database_is_embedded(self) -> bool:
        """Whether the program made the database itself, and so may bring it up to date by itself."""
        return "DATABASE_URL" not in self.environment or not self.environment["DATABASE_URL"].strip()


def read_settings(environment: Mapping[str, str], *, terminal: bool = False) -> Settings:
    """Reads and validates every variable of the contract.

    `terminal`: standard error is one, so logs default to `console`. Raises ConfigurationError with one line
    that names the variable, what was wrong and what is accepted.
    """
    get = _Environment(environment)
    home = Path(get.text("WRITEBACK_HOME", "var"))
    there = next((one for one in (home, *home.absolute().parents) if one.exists()), home)
    if there.exists() and not there.is_dir():
        raise ConfigurationError(
            f"WRITEBACK_HOME: {there} is not a folder; name a folder, it is created if missing"
        )
    ops = get.text("WRITEBACK_OPS_ADDRESS", DEFAULT_OPS_ADDRESS, empty_is_off=True)
    return Settings(
        broker_url=_broker_url(get.optional("BROKER_URL")),
        database_url=_database_url(get.optional("DATABASE_URL"), home),
        home=home,
        destination_roots=_roots(get.optional("WRITEBACK_DESTINATION_ROOTS")),
        secrets_dir=_secrets_dir(get.optional("WRITEBACK_SECRETS_DIR")),
        allowed_hosts=read_allowed_hosts(get.optional("WRITEBACK_ALLOWED_HOSTS")),
        ca_file=_ca_file(get.optional("WRITEBACK_CA_FILE")),
        env_file=Path(named) if (named := get.optional(ENV_FILE)) else None,
        senders=read_senders(get.optional("WRITEBACK_SENDERS")),
        locks=read_locks(get.optional("WRITEBACK_LOCKS")),
        ops_address=_address("WRITEBACK_OPS_ADDRESS", ops) if ops else None,
        ops_address_is_default=ops == DEFAULT_OPS_ADDRESS,
        console_address=_address(
            "WRITEBACK_CONSOLE_ADDRESS", get.text("WRITEBACK_CONSOLE_ADDRESS", DEFAULT_CONSOLE_ADDRESS)
        ),
        batch_size=get.whole("WRITEBACK_BATCH_SIZE", 500, 1, 10_000),
        linger=get.whole("WRITEBACK_LINGER_MS", 20, 0, 60_000) / 1000,
        retain_days=get.whole("WRITEBACK_RETAIN_DAYS", 400, 1, 36_500),
        log_format=get.one_of("WRITEBACK_LOG_FORMAT", "console" if terminal else "json", ("console", "json")),
        log_level=get.one_of("WRITEBACK_LOG_LEVEL", "info", LOG_LEVELS),
        environment=dict(environment),
    )


def unknown_variables(environment: Mapping[str, str]) -> Iterator[str]:
    """A line for each variable that looks like one of ours and is none, with the nearest that is."""
    for name in sorted(environment):
        if name.startswith(_OURS) and name not in VARIABLES and not name.startswith(_FAMILIES):
            near = difflib.get_close_matches(name, VARIABLES, n=1, cutoff=0.75)
            meant = f"; is {near[0]} meant?" if near else ""
            yield f"{name} is no variable of this program and has no effect{meant}"


class _Environment:
    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def optional(self, name: str) -> str | None:
        return self._environment.get(name, "").strip() or None

    def text(self, name: str, default: str, *, empty_is_off: bool = False) -> str:
        value = self._environment.get(name)
        if value is None:
            return default
        return value.strip() or ("" if empty_is_off else default)

    def whole(self, name: str, default: int, low: int, high: int) -> int:
        value = self.optional(name)
        if value is None:
            return default
        if not re.fullmatch(r"[0-9]{1,9}", value) or not low <= int(value) <= high:
            raise ConfigurationError(
                f"{name}: {value!r} is not accepted; a whole number from {low} to {high} is"
            )
        return int(value)

    def one_of(self, name: str, default: str, accepted: tuple[str, ...]) -> str:
        value = (self.optional(name) or default).lower()
        if value not in accepted:
            raise ConfigurationError(f"{name}: {value!r} is not accepted; one of {', '.join(accepted)} is")
        return value


def _address(name: str, value: str) -> ListenAddress:
    host, colon, port = value.rpartition(":")
    if not colon or not host or not re.fullmatch(r"[0-9]{1,5}", port) or not 0 <= int(port) <= 65535:
        raise ConfigurationError(f"{name}: {value!r} is not accepted; HOST:PORT is, such as 127.0.0.1:9464")
    return ListenAddress(host.strip("[]"), int(port))


def _broker_url(value: str | None) -> str | None:
    if value is None:
        return None
    for node in value.split(";"):
        scheme, separator, _ = node.strip().partition("://")
        if not separator or scheme not in BROKER_SCHEMES:
            # What stands there may be the login: only what looks like a scheme is repeated.
            shown = scheme if separator and _is_scheme(scheme) else "no scheme"
            raise ConfigurationError(
                f"BROKER_URL: {shown!r} is not accepted; amqp://… or amqps://… is, several nodes separated by ';'"
                " (leave it unset for the embedded broker)"
            )
    return value


def _database_url(value: str | None, home: Path) -> str:
    if value is None:
        return f"sqlite:///{home / 'writeback.sqlite3'}"
    try:
        url = make_url(value)
    except (ArgumentError, ValueError):
        raise ConfigurationError(
            "DATABASE_URL: this is not a database URL; postgresql+psycopg://user:password@host/name"
            " or sqlite:///file is accepted"
        ) from None
    if url.drivername not in DATABASE_DRIVERS:
        raise ConfigurationError(
            f"DATABASE_URL: {url.drivername!r} is not accepted; postgresql+psycopg://… or sqlite:///… is"
        )
    if url.drivername == "sqlite" and url.database in (None, "", ":memory:"):
        raise ConfigurationError(
            "DATABASE_URL: a SQLite database in memory is not accepted; sqlite:///file is"
        )
    if url.drivername != "sqlite" and _is_cut_wrongly(value, url):
        raise ConfigurationError(
            "DATABASE_URL: its user, password and host cannot be told apart; in user and password write"
            " / # ? @ : percent-encoded (%2F %23 %3F %40 %3A)"
        )
    driver = "sqlite" if url.drivername == "sqlite" else "postgresql+psycopg"
    return url.set(drivername=driver).render_as_string(hide_password=False)


def _is_cut_wrongly(value: str, url: URL) -> bool:
    """Whether a part of the password may stand where a host, a database or an option is read: those are shown."""
    user = value.partition("://")[2].partition(":")[0] if url.password is not None else ""
    ends_login = url.username is not None or url.password is not None
    return value.count("@") != user.count("@") + ends_login


def _roots(value: str | None) -> tuple[Path, ...]:
    """A root need not be there now: one mount that is missing keeps no other export from running."""
    return tuple(_root(part.strip()) for part in (value or "").split(":") if part.strip())


def _root(value: str) -> Path:
    root = Path(value)
    said = None
    if not root.is_absolute() or ".." in root.parts:
        said = "is not an absolute path"
    elif Path(os.path.realpath(root)) == Path("/"):
        said = "is everything there is"
    elif root.exists() and not root.is_dir():
        said = "is not a folder"
    if said is not None:
        raise ConfigurationError(
            f"WRITEBACK_DESTINATION_ROOTS: {value} {said}; absolute paths of folders are accepted, separated by ':',"
            " such as /srv/sis:/mnt/district"
        )
    return root


def _secrets_dir(value: str | None) -> Path | None:
    if value is None:
        return None
    if not Path(value).is_dir():
        raise ConfigurationError(
            f"WRITEBACK_SECRETS_DIR: {value} is not a folder; name the folder of secret files"
        )
    return Path(value)


def _ca_file(value: str | None) -> Path | None:
    if value is None:
        return None
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(value)
    except OSError:  # ssl.SSLError is one
        raise ConfigurationError(
            f"WRITEBACK_CA_FILE: {value} cannot be read as certificates; a file of certificates in PEM is accepted"
        ) from None
    return Path(value)
