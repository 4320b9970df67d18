"""A folder at an SFTP server that the SIS collects from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from schemas.fields.objects import OneOrMore, Problems, StrictSchema
from schemas.fields.scalars import Flag, Secret, Text, Whole
from worker.destinations.facts import Facts
from worker.destinations.file_port import FileDestination, FileKind, Installation
from worker.destinations.file_port import Secret as ReadSecret
from worker.destinations.files.remote_fields import Host, RemoteFolder, folder_name
from worker.destinations.files.sftp.pinned_keys import HostKeys
from worker.destinations.places import Places

PORT = 22


class SftpSchema(StrictSchema):
    """Options of an `sftp` destination."""

    tells_known = True
    type = Text(required=True)
    host = Host(required=True, about="The server's name or address")
    port = Whole(1, 65535, about="22 if left out")
    username = Text(1, 256, single_line=True, required=True, about="Who logs in")
    password = Secret(about="This or private_key")
    private_key = Secret(about="An Ed25519, ECDSA or RSA key, in OpenSSH or PEM form")
    passphrase = Secret(about="What private_key is encrypted with")
    known_host_key = OneOrMore(
        HostKeys(),
        minimum=1,
        maximum=20,
        required=True,
        about="The server's key, as a line of known_hosts, as `ssh-ed25519 AAAA…` or as `SHA256:…`; or several",
    )
    path = RemoteFolder(required=True, about="The folder, which is never made")
    rename = Flag(about="false: for a server that renames nothing, or collects every new name at once")

    def rules(self, data: Mapping[str, Any]) -> Problems:
        if ("password" in data) == ("private_key" in data):
            both = "password" in data
            said = "one of the two: leave out password or private_key" if both else "required, or private_key"
            return {"password": [said]}
        if "passphrase" in data and "private_key" not in data:
            return {"passphrase": ["belongs to private_key, which is not there"]}
        return {}


def _open(options: Mapping[str, Any], installation: Installation, secret: ReadSecret) -> FileDestination:
    # Here, since paramiko takes a tenth of a second, which every command would spend.
    from worker.destinations.files.sftp.sftp_opened import opened

    return opened(options, installation, secret)


def _place(options: Mapping[str, Any], _places: Places) -> str:
    host = options["host"].rstrip(".").lower()
    return f"{options['username']}@{host}:{options.get('port', PORT)}:{folder_name(options['path'])}"


KIND = FileKind(
    SftpSchema,
    _open,
    _place,
    Facts("A folder at an SFTP server that the SIS collects from"),
)
