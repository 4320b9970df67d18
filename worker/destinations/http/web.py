"""What one process keeps about servers over HTTP: connections, tokens, ids that were looked up."""

from __future__ import annotations

import ssl
from collections.abc import Callable, Hashable, Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from worker.allowed_hosts import AllowedHosts
from worker.clock import Clock, system_clock
from worker.destinations.http.aging_cache import AgingCache
from worker.destinations.http.answers import Request, Response
from worker.destinations.http.gate import Gate, Resolve, system_resolve
from worker.destinations.http.trust import timed, trusted

if TYPE_CHECKING:
    from worker.destinations.http.sending import Sending

LOOKED_UP_SECONDS = 3600.0


class Web:
    """Nothing is opened before it is used. Safe to use from several threads.

    `ca_file`: certificates to trust beside the usual ones.
    """

    def __init__(
        self,
        allowed: AllowedHosts | None = None,
        ca_file: Path | None = None,
        *,
        resolve: Resolve = system_resolve,
        clock: Clock = system_clock,
    ) -> None:
        self.gate = Gate(allowed or AllowedHosts(), resolve)
        self.tokens = AgingCache()
        self._looked_up = AgingCache()
        self._ca_file, self._clock = ca_file, clock

    @cached_property
    def context(self) -> ssl.SSLContext:
        """Whom this installation trusts. Raises DestinationError where its own authorities cannot be read."""
        return timed(self._ca_file)

    def trust(self) -> ssl.SSLContext:
        """A new context with the same trust, for what speaks TLS and no HTTP, to be changed. Raises as `context`."""
        return trusted(self._ca_file)

    @cached_property
    def _sending(self) -> Sending:
        # Imported by who asks a server: the libraries below it take long, and most exports ask none.
        from worker.destinations.http.sending import Sending

        return Sending(self.gate, self.context, self._clock)

    def make_ready(self) -> None:
        """Before the time of a round trip runs: the first of a process may take a while to be able to send at all.
        Raises as `context`."""
        _ = self._sending

    def looked_up(
        self, key: Hashable, load: Callable[[], Any], *, age: float = LOOKED_UP_SECONDS, fresh: bool = False
    ) -> Any:
        """What `load` returned less than `age` seconds ago under this key, or returns now; `fresh`: now, or in another
        thread since this call. The key tells servers, and who logs in there, apart."""
        return self._looked_up.get(key, lambda: (load(), age), fresh=fresh)

    def known(self, key: Hashable) -> Any:
        """What was looked up under this key last, however old; None: nothing was."""
        return self._looked_up.last(key)

    def renewed(self, key: Hashable, load: Callable[[], Any], *, age: float = LOOKED_UP_SECONDS) -> Any:
        """What `load` returns now, kept under this key; who asks for it meanwhile is not kept waiting."""
        return self._looked_up.renew(key, lambda: (load(), age))

    def exchange(self, request: Request, headers: Mapping[str, str], longest_wait: float) -> Response:
        """Sends one request and reads its answer, within the round trip that is under way; no redirect is followed.

        `longest_wait`: no answer makes anybody wait longer, in seconds. Raises NothingSentError, DestinationError
        where the server may not be reached, and where the answer is lost TransientError for a request that is safe,
        else LostAnswerError.
        """
        return self._sending.exchange(request, headers, longest_wait)
