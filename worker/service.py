"""`writeback run`: the roles of one process as threads, and their orderly end."""

from __future__ import annotations

import gc
import math
import os
import signal
import threading
from collections.abc import Callable, Sequence
from types import FrameType

import structlog

from worker import __version__, defects, failpoints
from worker.actions.parked import replay_for_new_version
from worker.bootstrap import Program
from worker.errors import ConfigurationError, UnavailableError, WritebackError
from worker.ops.server import OpsServer
from worker.ops.service_manager import ServiceManager
from worker.running.loops import Loop
from worker.store.database import migrate

log = structlog.get_logger("service")

ROLES = ("consumer", "flusher")
# Seconds: the kernel may give a signal to any thread (SIGCONT and SIGTERM in a row do that), and Python looks at it
# only when the main thread wakes.
_LOOK = 0.5
_BEGIN_AGAIN = 5.0  # seconds until a loop that broke off is begun again
_LONGEST_PAUSE = 300.0  # seconds between two tries to have parked messages handled again
_LAST_WAIT = 28.0  # seconds for all threads to end after SIGTERM (contract: exit within 30)


class Service:
    """One process in some roles. `run` returns when it was told to stop, or raises what ended it.

    `prepare` opens the database and sees that it is up to date (None: as the program does).
    """

    def __init__(
        self, program: Program, roles: Sequence[str], prepare: Callable[[], None] | None = None
    ) -> None:
        self._program = program
        self._prepare = prepare or program.prepare_database
        self._roles = tuple(roles) or ROLES
        self._stop = threading.Event()
        self._error: WritebackError | None = None
        self._manager = ServiceManager(program.settings.environment)

    def run(self) -> None:
        """Runs until SIGTERM or SIGINT. Raises ConfigurationError, RefusedError (a database that is behind)."""
        failpoints.arm_from(self._program.settings.environment)
        signal.signal(signal.SIGTERM, self._told_to_stop)
        signal.signal(signal.SIGINT, self._told_to_stop)
        ops = self._start_ops()  # first: whoever watches sees also what it waits for
        try:
            self._wait_for_servers()
            self._work()
        finally:
            if ops is not None:
                ops.stop()
            self._program.close()
        if self._error is not None:
            raise self._error
        log.info("stopped")

    def _work(self) -> None:
        gc.collect()
        gc.freeze()  # what the program itself consists of is no garbage: it is not gone through again and again
        threads = [self._thread(name, work) for name, work in self.loops().items()]
        log.info("running", roles=list(self._roles), version=__version__, worker=self._program.worker)
        pulse = self._program.instruments.pulse
        while not self._stop.wait(_LOOK):
            self._manager.working(at_work=pulse.at_work(*self._roles), stuck=pulse.stuck())
        self._program.bells.ring_all()
        for thread in threads:
            thread.join()

    def _end(self) -> None:
        """Tells every thread to end, and sees to it that the process does: one of them, the main thread at its start
        as well, may wait for longer, for a lock in the database or a destination that is silent."""
        last = threading.Timer(_LAST_WAIT, self._break_off)
        last.daemon = True
        last.start()
        self._stop.set()
        self._manager.stopping()

    def _break_off(self) -> None:
        """As safe as a power cut: what is in hand is finished by whoever takes it over."""
        log.warning("stopped with work in hand: something did not answer in time")
        os._exit(0 if self._error is None else 1)

    def _told_to_stop(self, _number: int, _frame: FrameType | None) -> None:
        self._end()

    def _wait_for_servers(self) -> None:
        """Waits for the database and the broker; a flusher alone does not need the broker to begin."""
        self._waited_for(self._prepare, "the database")
        if "consumer" in self._roles:
            self._waited_for(self._program.broker.prepare, "the broker")

    def _replay(self, stop: threading.Event) -> None:
        """Has a new version handle again what the broker parked, beside everything else: nothing waits for it, and it
        is tried until it has been done."""
        pulse, waiting = self._program.instruments.pulse, "what the broker parked is not handled again yet"
        loop = Loop("replay", pulse, within=math.inf, longest=_LONGEST_PAUSE, waiting=waiting)
        loop.run(self._replay_once, stop)

    def _replay_once(self) -> float:
        try:
            replayed = replay_for_new_version(self._program.database, self._program.broker, __version__)
        except WritebackError as error:
            raise UnavailableError(str(error)) from error  # whatever is wrong may be put right meanwhile
        if replayed:
            log.info("parked messages are handled again by the new version", messages=replayed)
        return math.inf

    def _waited_for(self, step: Callable[[], None], what: str) -> None:
        pause = 0.5
        self._manager.starting(what)
        while not self._stop.is_set():
            try:
                step()
                return
            except UnavailableError as error:
                log.warning("waiting", reason=str(error), seconds=pause)
                self._manager.starting(f"waiting for {what}: {error}")
                self._stop.wait(pause)
                pause = min(15.0, pause * 2)

    def loops(self) -> dict[str, Callable[[threading.Event], None]]:
        """What the roles consist of, by the names of their threads: each works until it is told to stop."""
        loops: dict[str, Callable[[threading.Event], None]] = {}
        if "flusher" in self._roles:
            loops["flusher"] = self._program.flusher.run
            loops["heartbeat"] = self._program.heartbeat.run
            loops["housekeeping"] = self._program.housekeeping.run
            loops["collecting"] = self._program.collecting.run
            loops["codes"] = self._program.code_watch.run
        if "consumer" in self._roles:
            loops["consumer"] = self._program.intake().run
            loops["replay"] = self._replay
            if "flusher" not in self._roles and not self._program.database.is_sqlite:
                loops["calls"] = self._program.caller.run
        if not self._program.database.is_sqlite:
            loops["wakes"] = self._program.listener(flushes="flusher" in self._roles).run
        loops["outbox"] = self._program.outbox.run
        loops["answering"] = self._program.answering.run
        return loops

    def _thread(self, name: str, work: Callable[[threading.Event], None]) -> threading.Thread:
        thread = threading.Thread(target=self._guarded, args=(name, work), name=name, daemon=True)
        thread.start()
        return thread

    def _guarded(self, name: str, work: Callable[[threading.Event], None]) -> None:
        """Only a setting that is wrong ends the process; a loop that broke off all the same is begun again."""
        while not self._stop.is_set():
            try:
                work(self._stop)
            except ConfigurationError as error:
                self._error = error
                self._end()
            except BaseException as error:  # noqa: BLE001 - whatever ended it, its work has to go on
                defects.noted(name, error)
                self._program.instruments.pulse.broke_off(name)
                self._stop.wait(_BEGIN_AGAIN)

    def _start_ops(self) -> OpsServer | None:
        address = self._program.settings.ops_address
        if address is None:
            return None
        program = self._program
        server = OpsServer(
            address,
            program.instruments,
            program.database,
            program.broker,
            program.clock,
            migrated=lambda: migrate.is_current(program.database),
            flushes="flusher" in self._roles,
        )
        try:
            server.start()
        except OSError as error:
            where = f"{address.host}:{address.port}"
            if program.settings.ops_address_is_default:
                log.warning("no metrics: the address is taken", address=where)
                return None
            raise ConfigurationError(
                f"WRITEBACK_OPS_ADDRESS: cannot listen on {where} ({error.strerror}); name a free one, or leave it"
                " empty for none"
            ) from None
        return server
