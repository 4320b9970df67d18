"""How a server runs: as a process here, in a Docker container, or somewhere else as a URL. Three ways, one
interface."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.servers.errors import ServerError
from tests.servers.janitor import Janitor, family, send

STOP_SECONDS = 30.0
TOOL_SECONDS = 60.0
PULL_SECONDS = 600.0


class Engine(Protocol):
    """Runs one server. Every method returns once it is done; `start` once the process is there, not once it
    answers."""

    @property
    def patience(self) -> float:
        """How many seconds it may take to answer after `start`."""

    def start(self) -> None:
        """Starts it where it does not run; lets it go on where it is frozen."""

    def stop(self) -> None:
        """Ends it in good order; its data stay."""

    def kill(self) -> None:
        """Ends it as SIGKILL does; its data stay."""

    def freeze(self) -> None:
        """Stops it in its tracks (SIGSTOP): connections stay open, nothing is answered."""

    def thaw(self) -> None:
        """Lets it go on."""

    def running(self) -> bool: ...

    @property
    def pid(self) -> int | None:
        """The process that runs it, parent of all its others; None: it is not one that can be looked into."""

    def run(self, tool: str, *arguments: str) -> str:
        """What one of the server's own command-line tools says. Raises ServerError where it fails."""

    def complaint(self) -> str:
        """The last that the server has written to its log, in one line."""


@dataclass(slots=True)
class LocalEngine:
    """A process here. `tools`: the folder of the server's own tools; `user`: who runs it, None: who runs the
    tests."""

    janitor: Janitor
    command: Sequence[str]
    environment: Mapping[str, str]
    folder: Path
    tools: Path
    user: str | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    farewell: signal.Signals = signal.SIGKILL
    patience: float = 120.0
    _process: subprocess.Popen[bytes] | None = field(default=None, init=False)

    @property
    def log(self) -> Path:
        return self.folder / "server.log"

    def start(self) -> None:
        if self.running():
            self.thaw()
            return
        with self.log.open("ab") as log:
            self._process = self.janitor.spawn(
                self.command,
                farewell=self.farewell,
                cwd=self.folder,
                env=dict(self.environment),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **as_user(self.user),
            )

    def stop(self) -> None:
        if self._process is None:
            return
        send(family(self._process.pid), signal.SIGCONT)
        self._process.send_signal(self.stop_signal)
        try:
            self._process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()

    def kill(self) -> None:
        if self._process is not None and self.running():
            send(family(self._process.pid), signal.SIGKILL)
            self._process.wait()

    def freeze(self) -> None:
        if self._process is not None and self.running():
            send(family(self._process.pid), signal.SIGSTOP)

    def thaw(self) -> None:
        if self._process is not None and self.running():
            send(family(self._process.pid), signal.SIGCONT)

    def running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None and self.running() else None

    def children(self) -> list[int]:
        """The processes that it has started, and theirs."""
        return family(self._process.pid)[1:] if self._process is not None and self.running() else []

    def run(self, tool: str, *arguments: str) -> str:
        command = [str(self.tools / tool), *arguments]
        return output(command, env=self.environment, cwd=self.folder, user=self.user)

    def complaint(self) -> str:
        return last_words(self.log.read_text(errors="replace") if self.log.exists() else "")


@dataclass(slots=True)
class ContainerEngine:
    """A Docker container. `ports`: port on 127.0.0.1 → port inside; `arguments`: what follows the image's
    name."""

    janitor: Janitor
    name: str
    image: str
    ports: Mapping[int, int]
    environment: Mapping[str, str]
    arguments: Sequence[str] = ()
    patience: float = 120.0
    _made: bool = field(default=False, init=False)

    def start(self) -> None:
        if not self._made:
            self._make()
        elif self.running():
            self.thaw()
        else:
            _docker("start", self.name)

    def _make(self) -> None:
        self.janitor.remove_container(self.name)
        # Without a limit, as some engines have it, Erlang is slow and fat.
        options = ["--ulimit=nofile=65536:65536"]
        options += [f"--publish=127.0.0.1:{here}:{inside}" for here, inside in self.ports.items()]
        options += [f"--env={name}={value}" for name, value in self.environment.items()]
        command = ["docker", "run", "--detach", f"--name={self.name}", *options, self.image, *self.arguments]
        output(command, timeout=PULL_SECONDS)
        self._made = True

    def stop(self) -> None:
        self.thaw()
        _docker("stop", self.name)

    def kill(self) -> None:
        if self.running():
            _docker("kill", self.name)

    def freeze(self) -> None:
        if self._state("Running") and not self._state("Paused"):
            _docker("pause", self.name)

    def thaw(self) -> None:
        if self._state("Paused"):
            _docker("unpause", self.name)

    def running(self) -> bool:
        return self._state("Running")

    @property
    def pid(self) -> int | None:
        return None

    def _state(self, what: str) -> bool:
        return _docker("inspect", f"--format={{{{.State.{what}}}}}", self.name).strip() == "true"

    def run(self, tool: str, *arguments: str) -> str:
        return _docker("exec", self.name, tool, *arguments)

    def complaint(self) -> str:
        command = ["docker", "logs", "--tail=20", self.name]
        return last_words(output(command, with_errors=True))


@dataclass(frozen=True, slots=True)
class GivenEngine:
    """A server somebody else runs, named by a variable of the environment: it is there, and not ours to
    stop."""

    variable: str
    patience: float = 10.0

    def start(self) -> None: ...

    def thaw(self) -> None: ...

    def stop(self) -> None:
        raise self._refusal()

    def kill(self) -> None:
        raise self._refusal()

    def freeze(self) -> None:
        raise self._refusal()

    def running(self) -> bool:
        return True

    @property
    def pid(self) -> int | None:
        return None

    def run(self, tool: str, *arguments: str) -> str:
        raise self._refusal()

    def complaint(self) -> str:
        return f"it is the server that {self.variable} names; is that right, and may we log in there?"

    def _refusal(self) -> ServerError:
        return ServerError(
            f"{self.variable} names a server that is not ours to stop or steer: unset it to have one started"
        )


def as_user(user: str | None) -> dict[str, object]:
    """The options of Popen that run a process as another user."""
    return {} if user is None else {"user": user, "group": user, "extra_groups": []}


def output(
    command: Sequence[str],
    *,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    user: str | None = None,
    timeout: float = TOOL_SECONDS,
    with_errors: bool = False,
) -> str:
    """What the command writes to standard output (and standard error, if asked).

    Raises ServerError, with its last words, where it fails.
    """
    name = Path(command[0]).name
    try:
        done = subprocess.run(
            command,
            env=None if env is None else dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout,
            check=False,
            **as_user(user),  # type: ignore[call-overload]  # the stub knows no mapping of options
        )
    except subprocess.TimeoutExpired:
        raise ServerError(f"{name} has not ended after {timeout:g} s: {' '.join(command[1:3])}") from None
    if done.returncode:
        words = last_words(done.stdout + done.stderr)
        raise ServerError(f"{name} failed with status {done.returncode}: {words}")
    return str(done.stdout + done.stderr if with_errors else done.stdout)


def last_words(text: str, lines: int = 4) -> str:
    """The last few lines that say something, as one."""
    said = [line.strip() for line in text.splitlines() if line.strip()]
    return " | ".join(said[-lines:])[-600:] or "it wrote nothing"


def _docker(*arguments: str) -> str:
    return output(["docker", *arguments])
