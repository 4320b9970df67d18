"""The whole demo: folder made anew, morning driven, everything read back and checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from worker.demo.checks import problems
from worker.demo.demo_exports import DemoExport, all_exports, commands
from worker.demo.demo_tardies import DemoTardy, corrected, generate
from worker.demo.demo_tardies import posts as tardy_posts
from worker.demo.district import reference_data
from worker.demo.expected import MOMENTS, expect
from worker.demo.home import LOG, demo_home, logging_into, make_anew
from worker.demo.messages import Post
from worker.demo.morning import Morning
from worker.demo.servers import serving
from worker.demo.summary import Summary, summarise


@dataclass(frozen=True, slots=True)
class DemoResult:
    """What the demo came to. `problems`: what does not add up; `telling`: a tardy worth a `trace`."""

    summary: Summary
    problems: list[str]
    telling: str

    def as_json(self, try_next: list[str]) -> dict[str, Any]:
        """Everything as one object."""
        return {**asdict(self.summary), "problems": self.problems, "try_next": try_next}


def run_demo(environment: Mapping[str, str], on_moment: Callable[[datetime], None]) -> DemoResult:
    """Runs the demo in WRITEBACK_HOME/demo; no other variable has a say.

    Raises ConfigurationError (the folder), RefusedError (it is in use), WritebackError (a part of the program
    gets nowhere).
    """
    home = demo_home(environment)
    make_anew(home)
    tardies = generate()
    with (
        serving(home) as servers,
        closing(Morning(home, servers.environment)) as morning,
        logging_into(home / LOG),
    ):
        exports = all_exports(servers.api.destination, servers.sftp_destination)
        posts = everything(tardies, exports)
        morning.run(posts, on_moment)
        servers.api.keep(home)
        summary = summarise(morning, posts, exports, as_seen_here(home), servers.without_sftp)
    found = problems(summary, expect(tardies, posts, exports))
    return DemoResult(summary, found, corrected(tardies).tardy_id)


def everything(tardies: tuple[DemoTardy, ...], exports: Sequence[DemoExport]) -> list[Post]:
    """Every message of the morning."""
    return [*reference_data(MOMENTS[0]), *commands(exports, MOMENTS[0]), *tardy_posts(tardies)]


def as_seen_here(path: Path) -> Path:
    """The path as a person in the current folder would type it."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_absolute() and path.is_relative_to(here) else path
