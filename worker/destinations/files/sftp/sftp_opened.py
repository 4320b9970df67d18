"""An `sftp` destination opened by its options."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from worker.destinations.file_port import FileDestination, Installation, Secret
from worker.destinations.files.sftp.dropping import RenamingSftp, ResendingSftp
from worker.destinations.files.sftp.pinned_keys import pinned
from worker.destinations.files.sftp.private_keys import private_key
from worker.destinations.files.sftp.sftp import PORT
from worker.destinations.files.sftp.ssh_line import Limits, SftpLogin

_SECRETS = ("password", "private_key", "passphrase")


def opened(
    options: Mapping[str, Any], installation: Installation, secret: Secret, limits: Limits | None = None
) -> FileDestination:
    """The destination, connected where it is first used. Raises DestinationError where a secret is not set."""
    way = RenamingSftp if options.get("rename", True) else ResendingSftp
    account = _account(options, secret)
    return way(account, options["path"], partial(installation.remarks.say, account.name), limits or Limits())


def _account(options: Mapping[str, Any], secret: Secret) -> SftpLogin:
    keys = options["known_host_key"]
    read = {name: secret(options[name]["secret"]) for name in _SECRETS if name in options}
    key = None
    if "private_key" in read:
        name = options["private_key"]["secret"]
        key = partial(private_key, name, read["private_key"], read.get("passphrase"))
    return SftpLogin(
        options["host"],
        options.get("port", PORT),
        options["username"],
        pinned([keys] if isinstance(keys, str) else keys),
        read.get("password"),
        key,
    )
