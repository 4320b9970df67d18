"""Makes every password and key of deploy/compose.yaml, once, into a folder for each who needs it.

    python prepare.py FOLDER

FOLDER/broker has what RabbitMQ imports, `database` the passwords of PostgreSQL's roles, `worker`, `migrate` and
`operator` an environment file (WRITEBACK_ENV_FILE) with the secrets that it speaks of, `sis` the SFTP server's keys,
`grafana` the administrator's password. Each belongs to the user its container runs as. A second run changes nothing.
"""

from __future__ import annotations

import os
import secrets
import subprocess
import sys
from io import StringIO
from pathlib import Path

from paramiko import ECDSAKey

MAKE_DEFINITIONS = Path(__file__).parents[1] / "rabbitmq" / "make_definitions.py"
# Who reads each folder: the users of the images.
OWNERS = {
    "broker": 999,
    "database": 999,
    "worker": 10001,
    "migrate": 10001,
    "operator": 10001,
    "sis": 0,
    "grafana": 472,
}
ROLES = ("migrate", "worker", "read")
SECRETS_DIR = "/run/writeback/secrets"
SENDERS = "/run/writeback/senders.json"


def main(folder: Path) -> None:
    if (folder / "grafana" / "administrator").exists():
        sys.stdout.write("prepared before; nothing is changed\n")
        return
    for name in OWNERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    passwords = make_broker_users(folder / "broker")
    database = {role: _password() for role in (*ROLES, "administrator")}
    for role, password in database.items():
        _write(folder / "database" / role, password)
    worker = f"amqp://writeback-worker:{passwords['writeback-worker']}@rabbitmq/writeback"
    operator = f"amqp://writeback-operator:{passwords['writeback-operator']}@rabbitmq/writeback"
    make_environment(folder / "worker", broker=worker, role="worker", password=database["worker"])
    make_environment(folder / "operator", broker=operator, role="worker", password=database["worker"])
    make_environment(folder / "migrate", broker=None, role="migrate", password=database["migrate"])
    make_sis_keys(folder)
    _write(folder / "grafana" / "administrator", _password())
    for name, owner in OWNERS.items():
        give(folder / name, owner)
    # sshd reads this one as the user who logs in.
    (folder / "sis").chmod(0o755)
    (folder / "sis" / "authorized_keys").chmod(0o444)
    sys.stdout.write(f"made in {folder}: {', '.join(OWNERS)}\n")


def make_broker_users(folder: Path) -> dict[str, str]:
    """{user: password}; the passwords leave the folder that RabbitMQ reads."""
    subprocess.run(
        [sys.executable, str(MAKE_DEFINITIONS), str(folder)], check=True, stdout=subprocess.DEVNULL
    )
    kept = folder / "passwords"
    found = {file.name: file.read_text().strip() for file in kept.iterdir()}
    for file in kept.iterdir():
        file.unlink()
    kept.rmdir()
    return found


def make_environment(folder: Path, *, broker: str | None, role: str, password: str) -> None:
    """The environment file of one who runs the program."""
    lines = [f"DATABASE_URL=postgresql+psycopg://writeback_{role}:{password}@postgres/writeback"]
    if broker is not None:
        (folder / "secrets").mkdir()
        lines += [
            f"BROKER_URL={broker}",
            f"WRITEBACK_SECRETS_DIR={SECRETS_DIR}",
            f"WRITEBACK_SENDERS={SENDERS}",
        ]
        senders = folder.parent / "broker" / "senders.json"
        _write(folder / "senders.json", senders.read_text())
    _write(folder / "environment", "\n".join(lines) + "\n")


def make_sis_keys(folder: Path) -> None:
    """The SFTP server's own key, and the one that the worker logs in with."""
    host, login = ECDSAKey.generate(), ECDSAKey.generate()
    _write(folder / "sis" / "host_key", _private(host))
    _write(folder / "sis" / "authorized_keys", _public(login))
    for who in ("worker", "operator"):
        _write(folder / who / "secrets" / "sis-key", _private(login))
    _write(folder / "operator" / "sis-host-key.pub", _public(host))


def give(folder: Path, owner: int) -> None:
    """The folder and all in it to one user, and to nobody else; to who runs this, where that is not root."""
    paths = (folder, *folder.rglob("*"))
    for path in paths:
        path.chmod(0o700 if path.is_dir() else 0o400)
    if os.geteuid() == 0:
        for path in paths:
            os.chown(path, owner, owner)


def _password() -> str:
    return secrets.token_urlsafe(32)


def _private(key: ECDSAKey) -> str:
    text = StringIO()
    key.write_private_key(text)
    return text.getvalue()


def _public(key: ECDSAKey) -> str:
    return f"{key.get_name()} {key.get_base64()}\n"


def _write(file: Path, text: str) -> None:
    file.touch(mode=0o600)
    file.write_text(text, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
