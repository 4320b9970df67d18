"""The servers that the demo starts for itself, so that tardies reach an SIS by other ways than a folder."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from worker.demo import records_server, sftp_server
from worker.demo.records_server import RecordsServer
from worker.demo.sftp_server import NotHereError, SftpServer, start_sftp_server
from worker.secrets import variable_of


@dataclass(frozen=True, slots=True)
class Servers:
    """Those that run. `sftp` None: there is none, for the reason in `without_sftp`."""

    api: RecordsServer
    sftp: SftpServer | None
    without_sftp: str | None

    @property
    def environment(self) -> dict[str, str]:
        """What the program needs to reach them: the host, and the secrets by their names."""
        found = {
            "WRITEBACK_ALLOWED_HOSTS": records_server.HOST,
            variable_of(records_server.SECRET): self.api.token,
        }
        return (
            found if self.sftp is None else {**found, variable_of(sftp_server.SECRET): self.sftp.private_key}
        )

    @property
    def sftp_destination(self) -> dict[str, Any] | None:
        return None if self.sftp is None else self.sftp.destination


@contextmanager
def serving(home: Path) -> Iterator[Servers]:
    """The servers, until the end. `home` has what they need."""
    with closing(RecordsServer()) as api:
        try:
            sftp = start_sftp_server(home)
        except NotHereError as error:
            yield Servers(api, None, str(error))
            return
        with closing(sftp):
            yield Servers(api, sftp, None)
