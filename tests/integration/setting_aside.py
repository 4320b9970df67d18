"""A stepped program whose flusher looks as it does in a thread, and faults put into it for one export alone."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from typing import Any

from tests.program import SteppedProgram
from worker import failpoints
from worker.delivery.flusher import Flusher
from worker.failpoints import Hook, Place, PlannedError
from worker.store import asides
from worker.store.asides import Aside


class AtOnce(Executor):
    """Does what it is given in the caller's thread."""

    def submit(self, work: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        future: Future[Any] = Future()
        try:
            future.set_result(work(*args, **kwargs))
        except Exception as error:  # noqa: BLE001 - whoever asks the future is told
            future.set_exception(error)
        return future


class Bench(SteppedProgram):
    """The stepped program with a flusher of its own."""

    def restarted(self, version: str | None = None) -> Bench:
        """Another process of the same installation, of this or another version of the program."""
        return Bench(str(self.database.engine.url), self.home, self.now, version=version or self.version)

    def flush_all(self) -> None:
        """What a flusher does until there is nothing left to do."""
        flusher = Flusher(self.means, self.scheduler, self.flush, worker="tests")
        self.forget_barriers()
        while flusher.look(AtOnce()) == 0:
            pass

    def aside(self) -> list[Aside]:
        """What stands aside."""
        with self.database.read() as connection:
            return asides.standing(connection, self.now)


@contextmanager
def broken(hook: Hook) -> Iterator[None]:
    """Within, the program meets what the hook raises."""
    failpoints.arm_each(hook)
    try:
        yield
    finally:
        failpoints.arm_each(None)


def fails(place: Place, *things: str) -> Hook:
    """An error each time the program is at this place in the work for one of these."""

    def hook(at: Place, thing: str | None) -> None:
        if at is place and (not things or thing in things):
            raise PlannedError("no text of an error reaches a person: Ada Byron")

    return hook
