#!/usr/bin/env python3
"""Makes the definitions that a RabbitMQ imports for this program: its topology, and a user for each who comes to it.

    python3 make_definitions.py FOLDER --publisher hero-lincoln=lincoln --commander hero-adams=adams,adams-east

FOLDER gets `definitions.json` (hashes of passwords alone), `senders.json` (for WRITEBACK_SENDERS) and `passwords/USER`,
readable by their owner. A password that lies there is kept, so another publisher is added by typing the command again
with all of them. Every password is made here, of 256 random bits: none is a default. Needs Python alone.

What each user may do follows https://www.rabbitmq.com/docs/access-control, how a password is hashed
https://www.rabbitmq.com/docs/passwords#computing-password-hash.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import json
import os
import re
import secrets
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TOPOLOGY = Path(__file__).with_name("topology.json")
NOTHING = "^$"
EVENT_KEYS = r"^(tardy|behavior_code|bell_schedule|school|school_day)\.[a-z_]+$"
COMMAND_KEYS = r"^(export|code|run|entry)\.[a-z_]+$"
WORKER, OPERATOR, SCALER = "writeback-worker", "writeback-operator", "writeback-scaler"

_is_name = re.compile(r"[a-z0-9][a-z0-9-]{0,62}").fullmatch
_is_district = re.compile(r"[^\s,=]{1,64}").fullmatch


@dataclass(frozen=True, eq=False)
class User:
    """Who logs in, and what they may do, as regular expressions over names of exchanges and queues.

    `keys`: {exchange: which routing keys they may publish with}; `sends`: what WRITEBACK_SENDERS says of them (None:
    they send nothing).
    """

    name: str
    write: str
    read: str = NOTHING
    configure: str = NOTHING
    keys: Mapping[str, str] = field(default_factory=dict)
    tags: tuple[str, ...] = ()
    sends: Mapping[str, Any] | None = None


# The program looks whether exchanges and queues are there. RabbitMQ from 4.2.7 on wants some permission for that, so
# each user has one for all that they look at; where it is not for use, it is one that alone lets nobody do anything:
# `write` for a queue, or `read` for an exchange, each half of what a binding takes.
SERVICES = (
    # It declares nothing: the definitions do. Replies go to queues that others name, over the default exchange.
    User(
        WORKER,
        write=r"^(writeback\.(outcomes|rejected)|amq\.default)$",
        read=r"^(behavior|writeback\.(events|commands|rejected))$",
        sends={"replays": True},
    ),
    # A person at the command line: publishes, replays, looks at what is parked and, in the browser, at everything.
    User(
        OPERATOR,
        write=r"^(behavior|writeback\.(events|commands)|amq\.default)$",
        read=r"^writeback\.(outcomes|rejected)$",
        tags=("monitoring",),
        sends={"districts": "all", "commands": True, "replays": True},
    ),
    # KEDA asks how many messages wait.
    User(SCALER, write=r"^writeback\.events$"),
)


def publisher(name: str, districts: list[str], *, commands: bool) -> User:
    """A district's behavior system. With `commands` it may send these, and have queues of its own (`NAME.…`) for the
    answers."""
    own = rf"^{re.escape(name)}\..+$"
    sends: dict[str, Any] = {"districts": districts}
    if not commands:
        return User(name, write="^behavior$", keys={"behavior": EVENT_KEYS}, sends=sends)
    return User(
        name,
        write=rf"^(behavior|writeback\.commands|{re.escape(name)}\..+)$",
        read=own,
        configure=own,
        keys={"behavior": EVENT_KEYS, "writeback.commands": COMMAND_KEYS},
        sends={**sends, "commands": True},
    )


def definitions(users: Mapping[User, str], vhost: str) -> dict[str, Any]:
    """What RabbitMQ imports, of {user: password}."""
    topology = json.loads(TOPOLOGY.read_text("utf-8"))
    return {
        "vhosts": [{"name": vhost}],
        "users": [
            {
                "name": user.name,
                "password_hash": hashed(password),
                "hashing_algorithm": "rabbit_password_hashing_sha256",
                "tags": list(user.tags),
            }
            for user, password in users.items()
        ],
        "permissions": [
            {"user": u.name, "vhost": vhost, "configure": u.configure, "write": u.write, "read": u.read}
            for u in users
        ],
        "topic_permissions": [
            {"user": user.name, "vhost": vhost, "exchange": exchange, "write": keys, "read": NOTHING}
            for user in users
            for exchange, keys in user.keys.items()
        ],
        **{kind: [{**thing, "vhost": vhost} for thing in things] for kind, things in topology.items()},
    }


def hashed(password: str) -> str:
    """As RabbitMQ stores it: salt and SHA-256 of salt and password, in Base64."""
    salt = secrets.token_bytes(4)
    return base64.b64encode(salt + hashlib.sha256(salt + password.encode()).digest()).decode()


def senders(users: Mapping[User, str]) -> dict[str, Any]:
    """The file for WRITEBACK_SENDERS."""
    return {user.name: dict(user.sends) for user in users if user.sends is not None}


def kept_password(folder: Path, name: str) -> str:
    """The password in the folder; it is made where there is none."""
    file = folder / name
    if not file.exists():
        _write(file, secrets.token_urlsafe(32) + "\n")
    return file.read_text("utf-8").strip()


def main(arguments: list[str]) -> int:
    """Returns the exit status."""
    typed = _parsed(arguments)
    passwords: Path = typed.folder / "passwords"
    passwords.mkdir(mode=0o700, parents=True, exist_ok=True)
    named = [
        *SERVICES,
        *(publisher(name, of, commands=False) for name, of in typed.publisher),
        *(publisher(name, of, commands=True) for name, of in typed.commander),
    ]
    users = {user: kept_password(passwords, user.name) for user in named}
    _write(typed.folder / "definitions.json", _as_json(definitions(users, typed.vhost)), 0o640)
    _write(typed.folder / "senders.json", _as_json(senders(users)), 0o640)
    sys.stdout.write(
        f"{typed.folder}: definitions.json, senders.json, passwords of {', '.join(u.name for u in users)}\n"
    )
    return 0


def _parsed(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n", 1)[0])
    parser.add_argument("folder", type=Path, metavar="FOLDER")
    for option, may in (("--publisher", "publish"), ("--commander", "publish and send commands")):
        parser.add_argument(
            option,
            type=_publisher,
            action="append",
            default=[],
            metavar="USER=DISTRICT[,…]",
            help=f"a user who may {may} of these districts; may be repeated",
        )
    parser.add_argument("--vhost", default="writeback", help="the virtual host (default: writeback)")
    return parser.parse_args(arguments)


def _publisher(value: str) -> tuple[str, list[str]]:
    name, _, districts = value.partition("=")
    named = districts.split(",")
    if _is_name(name) is None or name.startswith("writeback") or not all(map(_is_district, named)):
        raise argparse.ArgumentTypeError(
            f"{value!r} is not accepted; USER=DISTRICT[,DISTRICT…] is, the user of a-z, 0-9 and - and not ours"
        )
    return name, named


def _as_json(value: object) -> str:
    return json.dumps(value, indent=2) + "\n"


def _write(file: Path, text: str, mode: int = 0o600) -> None:
    """Whole or not at all, and never readable by others in between."""
    beside = file.with_name(f".{file.name}.new")
    beside.unlink(missing_ok=True)
    os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode))
    beside.write_text(text, "utf-8")
    beside.replace(file)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
