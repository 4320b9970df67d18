"""A vsftpd of our own: the strict judge of FTP over TLS, which takes no data connection that does not resume the
control connection's TLS session.

It logs in by PAM. So that nothing of this machine is changed, it sees an `/etc` of its own, in a mount namespace that
ends with it. (Files mounted over those in `/etc` would not stay: an installer that adds a user replaces them, and with
them goes what is mounted there.)
"""

from __future__ import annotations

import os
import signal
import socket
import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from trustme import CA, LeafCert

from tests.servers.boot import free_ports, started, wait_until_it_answers
from tests.servers.engines import LocalEngine
from tests.servers.errors import ServerError
from tests.servers.janitor import Janitor, send
from tests.servers.tools import tool

USER, PASSWORD = "district", "only for tests"
SMALL = "small"
"""A folder for 64 KiB and no more."""

_UID = 29_999  # nobody's here
_HASH = (
    "$6$districtsalt$QEF2kJjRFnL5oFQbRtYv4HZAYkCOwM/cPOxmOodN1w53g4TO86cEEOmMA7kFsPWkytwUcn5cPQEAXd0RwuNif0"
)
_PAM = """\
auth required pam_unix.so nodelay
account required pam_permit.so
session required pam_permit.so
"""
# The passive address is another machine's: who trusts it reaches nothing.
_SETTINGS = {
    "background": "NO",
    "anonymous_enable": "NO",
    "local_enable": "YES",
    "write_enable": "YES",
    "chroot_local_user": "YES",
    "allow_writeable_chroot": "YES",
    "pam_service_name": "vsftpd",
    "nopriv_user": "nobody",
    "seccomp_sandbox": "NO",
    "delay_failed_login": "0",
    "delay_successful_login": "0",
    "ssl_enable": "YES",
    "ssl_ciphers": "HIGH",
    "force_local_data_ssl": "YES",
    "force_local_logins_ssl": "YES",
    "require_ssl_reuse": "YES",
}
_IN_ITS_OWN_MOUNTS = """
set -e
mount --make-rprivate /
mount -t tmpfs -o size=64k,mode=777 tests "root/$1"
mount --bind etc /etc
exec "$2" vsftpd.conf
"""
_NO_TICKETS = """\
openssl_conf = settings
[settings]
ssl_conf = ssl
[ssl]
system_default = all
[all]
NumTickets = 0
"""


@dataclass(frozen=True, slots=True)
class Vsftpd:
    """One vsftpd. `root` is the folder in which its one user begins."""

    engine: LocalEngine
    address: str
    port: int
    root: Path

    def start(self) -> None:
        """Starts it where it does not run; lets it go on where it is frozen."""
        self.engine.start()
        wait_until_it_answers("vsftpd", self.engine, self._answers)

    def cut(self) -> None:
        """Cuts every connection, as a restart of the server does."""
        send(self.engine.children(), signal.SIGKILL)

    def folder(self, name: str) -> Path:
        """A new folder of the user's."""
        made = self.root / name
        made.mkdir()
        self.give(made)
        return made

    def give(self, path: Path) -> None:
        """The user's from now on."""
        os.chown(path, _UID, -1)

    def _answers(self) -> bool:
        try:
            with socket.create_connection((self.address, self.port), 10) as probe:
                probe.settimeout(10)
                return probe.recv(3) == b"220"
        except OSError:
            return False


def start_vsftpd(
    janitor: Janitor,
    certificate: LeafCert | None = None,
    *,
    address: str = "127.0.0.1",
    tickets: bool = True,
    settings: Mapping[str, str] | None = None,
) -> Vsftpd:
    """One with that certificate, else one of nobody known to anybody. Without `tickets` a TLS 1.3 session cannot be
    resumed. Raises ServerError with the line to type."""
    program = tool("vsftpd", "vsftpd")
    if os.geteuid() != 0:
        raise ServerError(
            "vsftpd needs mounts of its own: run the tests as root on Linux, with CAP_SYS_ADMIN"
        )
    shown = certificate or CA().issue_cert(address)
    return started(lambda: _local(janitor, program, shown, address, tickets=tickets, settings=settings or {}))


def fingerprint(certificate: LeafCert) -> str:
    """Its SHA-256, as `certificate_sha256` takes it."""
    pem = certificate.cert_chain_pems[0].bytes().decode()
    return sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


def _local(
    janitor: Janitor,
    program: str,
    certificate: LeafCert,
    address: str,
    *,
    tickets: bool,
    settings: Mapping[str, str],
) -> Vsftpd:
    folder, [port] = janitor.new_folder("vsftpd"), free_ports(1)
    root = folder / "root"
    for made in (folder / "empty", folder / "etc" / "pam.d", root / SMALL):
        made.mkdir(parents=True)
    os.chown(root, _UID, -1)
    _write_users(folder / "etc", root)
    certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "server.pem"))
    (folder / "openssl.cnf").write_text("" if tickets else _NO_TICKETS)
    lines = {**_SETTINGS, **_listening(address, port), **_files(folder, root), **settings}
    (folder / "vsftpd.conf").write_text("".join(f"{name}={value}\n" for name, value in lines.items()))
    engine = LocalEngine(
        janitor,
        ["unshare", "--mount", "sh", "-c", _IN_ITS_OWN_MOUNTS, "sh", SMALL, program],
        environment={**os.environ, "OPENSSL_CONF": str(folder / "openssl.cnf")},
        folder=folder,
        tools=Path(program).parent,
    )
    return Vsftpd(engine, address, port, root)


def _listening(address: str, port: int) -> dict[str, str]:
    if ":" in address:
        return {"listen_ipv6": "YES", "listen_address6": address, "listen_port": str(port)}
    return {
        "listen": "YES",
        "listen_ipv6": "NO",
        "listen_address": address,
        "listen_port": str(port),
        "pasv_address": "192.0.2.1",
    }


def _files(folder: Path, root: Path) -> dict[str, str]:
    return {
        "local_root": str(root),
        "secure_chroot_dir": str(folder / "empty"),
        "rsa_cert_file": str(folder / "server.pem"),
    }


def _write_users(etc: Path, home: Path) -> None:
    others = "root:x:0:0::/root:/bin/sh\nnobody:x:65534:65534::/nonexistent:/bin/false\n"
    (etc / "passwd").write_text(f"{others}{USER}:x:{_UID}:65534::{home}:/bin/sh\n")
    (etc / "group").write_text("root:x:0:\nnogroup:x:65534:\n")
    (etc / "nsswitch.conf").write_text("passwd: files\nshadow: files\ngroup: files\n")
    shadow = etc / "shadow"
    shadow.touch(mode=0o600)
    shadow.write_text(f"{USER}:{_HASH}:19000:0:99999:7:::\n")
    (etc / "pam.d" / "vsftpd").write_text(_PAM)
