"""A private key as it stands in a secret."""

from __future__ import annotations

import io

from paramiko import ECDSAKey, Ed25519Key, PasswordRequiredException, PKey, RSAKey, SSHException

from worker.errors import DestinationError

_KINDS: tuple[type[PKey], ...] = (Ed25519Key, ECDSAKey, RSAKey)
_BEGINNINGS = {
    "PuTTY-User-Key": "is a PuTTY key; export it as an OpenSSH key (PuTTYgen, Conversions)",
    "ssh-": "is a public key; the private one belongs there",
    "ecdsa-": "is a public key; the private one belongs there",
    "---- BEGIN SSH2": "is a public key; the private one belongs there",
}


def private_key(name: str, text: str, passphrase: str | None) -> PKey:
    """The key. Raises DestinationError, with the secret's name and nothing of what is in it."""
    for beginning, said in _BEGINNINGS.items():
        if text.lstrip().startswith(beginning):
            raise _wrong(name, said)
    for kind in _KINDS:
        try:
            return kind.from_private_key(io.StringIO(text.strip() + "\n"), passphrase)
        except PasswordRequiredException:
            raise _wrong(name, "is encrypted; name its `passphrase`") from None
        except (SSHException, ValueError, IndexError, TypeError, UnicodeError):
            continue  # of another kind, or with another passphrase
    with_phrase = " with that passphrase" if passphrase is not None else ""
    raise _wrong(
        name, f"cannot be read as a private key{with_phrase} (Ed25519, ECDSA or RSA, in OpenSSH or PEM form)"
    )


def _wrong(name: str, said: str) -> DestinationError:
    return DestinationError(f"secret {name!r} {said}; put that right, then retry")
