"""The line to an SFTP server: connection, host key, login, session, each within a limit and told by its step's name.

Only the pinned keys are trusted. Nothing of this machine's user goes along: no agent, no keys of the home folder, no
known_hosts.
"""

from __future__ import annotations

import logging
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from paramiko import (
    AuthenticationException,
    BadAuthenticationType,
    ChannelException,
    PKey,
    SSHException,
    Transport,
)
from paramiko.sftp import SFTPError
from paramiko.ssh_exception import IncompatiblePeer

from worker.destinations.files.dialling import connected, resolved
from worker.destinations.files.sftp.checked_sftp import CheckedSftp, one_line
from worker.destinations.files.sftp.pinned_keys import ALGORITHMS, PinnedKeys, fingerprint
from worker.destinations.files.watchdog import Watchdog
from worker.destinations.trial import Trial
from worker.errors import DeliveryError, DestinationError, TransientError

_KEEPALIVE = 15  # seconds
_SETTLES = 1.0  # seconds within which a line that was cut is known to be
_NO_KEY = "no acceptable host key"

# What paramiko has to say stands in our own errors; its log would say it again, with names of files.
logging.getLogger("paramiko").setLevel(logging.CRITICAL + 1)


@dataclass(frozen=True, slots=True)
class Limits:
    """Seconds after which a silent peer is given up: until it is connected, and for each answer afterwards."""

    connect: float = 15.0
    answer: float = 30.0


@dataclass(frozen=True, slots=True)
class SftpLogin:
    """Where to and as whom. `key` is read where it is needed. Neither secret is ever told."""

    host: str
    port: int
    username: str
    pinned: PinnedKeys
    password: str | None = field(default=None, repr=False)
    key: Callable[[], PKey] | None = field(default=None, repr=False)

    @property
    def name(self) -> str:
        return f"sftp {self.host}:{self.port}"


class SshLine:
    """An open session. Each step raises TransientError or DestinationError for whatever is wrong with the line."""

    def __init__(self, account: SftpLogin, limits: Limits, trial: Trial) -> None:
        self._account, self._limits = account, limits
        self._transport: Transport | None = None
        self._watchdog = Watchdog(limits.answer, self._hang_up)
        try:
            with trial.step("resolve"), self.step("resolve"):
                self._addresses = resolved(account.host, account.port, limits.connect)
            transport = self._known(trial)
            with trial.step("log in"), self.step("log in"):
                self._log_in(transport)
                self.sftp = self._session(transport)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def step(self, name: str) -> Iterator[None]:
        """Whatever is asked of the server, by the step's name; a status that it answers with goes through."""
        try:
            with self._watchdog.watching():
                yield
        except DeliveryError as error:
            raise type(error)(self.told(name, str(error))) from None
        except TimeoutError:
            raise self._silent(name) from None
        except (EOFError, OSError, SSHException, SFTPError) as error:
            raise self._silent(name) if self._watchdog.expired else self._cut(name, error) from None

    def told(self, step: str, what: str) -> str:
        """One line: where, at which step, what."""
        return f"{self._account.name}: {step}: {what}"

    def progress(self) -> None:
        """The step under way has got on."""
        self._watchdog.progress()

    def rest(self) -> None:
        """The step under way waits for something of ours."""
        self._watchdog.rest()

    @property
    def is_up(self) -> bool:
        return self._transport is not None and self._transport.is_active()

    def close(self) -> None:
        """Never raises."""
        self._watchdog.end()
        self._hang_up()

    def _hang_up(self) -> None:
        if self._transport is not None:
            with suppress(OSError):  # so that paramiko's thread does not wait for what may still come
                self._transport.sock.shutdown(socket.SHUT_RDWR)
            with suppress(Exception):
                self._transport.close()

    # the host key

    def _known(self, trial: Trial) -> Transport:
        """The line to a server that has proven to have a pinned key.

        It is asked for the pinned kinds of keys alone, or one that has several might show another; where only a
        fingerprint is pinned, for one kind after the other.
        """
        kinds, met = list(self._account.pinned.kinds), []
        with trial.step("connect"), self.step("connect"):
            transport = self._negotiated(kinds)
        with trial.step("host key"), self.step("host key"):
            while transport is not None:
                key = transport.get_remote_server_key()
                shown = fingerprint(key.asbytes())
                if self._account.pinned.has(shown):
                    return transport
                met.append(f"{key.get_name()} {shown}")
                kinds.remove(key.get_name())
                transport = self._negotiated(kinds) if kinds else None
            raise self._unknown_key(met or self._others())

    def _negotiated(self, kinds: list[str]) -> Transport | None:
        """A line on which the server shows its key of one of these kinds; None: it has none of them."""
        self._hang_up()
        self.progress()
        transport = self._transport = Transport(connected(self._addresses, self._limits.connect))
        # paramiko's own limits, which tell less, come after the watchdog's.
        transport.banner_timeout = transport.handshake_timeout = 2 * self._limits.answer
        transport.auth_timeout = transport.channel_timeout = 2 * self._limits.answer
        names = tuple(name for kind in kinds for name in ALGORITHMS[kind])
        transport.get_security_options().key_types = names
        try:
            transport.start_client()
        except IncompatiblePeer as error:
            if _NO_KEY in str(error) and len(kinds) < len(ALGORITHMS):
                return None
            raise _too_old(error) from None
        return transport

    def _others(self) -> list[str]:
        """What key the server has in place of a pinned one."""
        transport = self._negotiated(list(ALGORITHMS))
        key = None if transport is None else transport.get_remote_server_key()
        return [] if key is None else [f"{key.get_name()} {fingerprint(key.asbytes())}"]

    def _unknown_key(self, met: list[str]) -> DestinationError:
        self._hang_up()
        return DestinationError(
            f"the server shows {' and '.join(met)}, which is not the pinned key ({self._account.pinned.shown}): it was"
            " given a new one, or somebody stands in between; ask those who run it, by another way, whether this is"
            " theirs, and only then write it in known_host_key"
        )

    # the login

    def _log_in(self, transport: Transport) -> None:
        account = self._account
        try:
            if account.key is not None:
                missing = transport.auth_publickey(account.username, account.key())
            else:
                missing = transport.auth_password(account.username, account.password or "")
        except BadAuthenticationType as error:
            raise DestinationError(
                f"the server takes no {self._means} for this user, but {', '.join(error.allowed_types)}"
            ) from None
        except AuthenticationException as error:
            if self._watchdog.expired or not self._stays_up(transport):
                raise SSHException("the server hung up") from None
            if "timeout" in str(error).lower():
                raise TimeoutError from None
            raise DestinationError(
                f"the server refuses the user name or the {self._means}; put that right, then retry"
            ) from None
        if missing:
            raise DestinationError(
                f"the server asks for more than the {self._means}: {', '.join(missing)}; ask for an account without"
                " that"
            )
        transport.set_keepalive(_KEEPALIVE)

    @property
    def _means(self) -> str:
        return "password" if self._account.key is None else "private key"

    def _session(self, transport: Transport) -> CheckedSftp:
        try:
            channel = transport.open_session()
            channel.settimeout(self._limits.answer)
            channel.invoke_subsystem("sftp")
            return CheckedSftp(channel)
        except (ChannelException, SSHException, EOFError) as error:
            if self._watchdog.expired or not self._stays_up(transport):
                raise SSHException("the server hung up") from None
            said = one_line(str(error)) or "closed"
            raise DestinationError(
                f"the login was taken, but no SFTP session is opened for this user ({said}); ask those who run the"
                " server to allow it"
            ) from None

    def _stays_up(self, transport: Transport) -> bool:
        """Whether the server still talks to us; a moment passes until a cut is known."""
        transport.join(_SETTLES)
        return transport.is_active()

    # errors of the line

    def _silent(self, step: str) -> TransientError:
        return TransientError(
            self.told(step, f"no answer within {self._limits.answer:g} s; it is tried again by itself")
        )

    def _cut(self, step: str, error: Exception) -> TransientError:
        said = one_line(str(error))
        if "banner" in said:
            said = "it does not answer as an SSH server; is the port right?"
        return TransientError(
            self.told(step, f"the connection was cut ({said or 'closed'}); it is tried again by itself")
        )


def _too_old(error: IncompatiblePeer) -> DestinationError:
    return DestinationError(
        f"the server and this program have no way in common to be safe ({one_line(str(error))}): it offers only what is"
        " broken by now, such as SHA-1; it has to be updated, or to be told to allow rsa-sha2-512, ssh-ed25519 and"
        " curve25519-sha256"
    )
