"""One thing that `writeback check` has tried."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from worker.destinations.trial import TrialStep
from worker.errors import WritebackError


@dataclass(frozen=True, slots=True)
class Tried:
    """One thing that was tried; `detail` says how it is, or what is wrong and what to do. `steps`: a destination's."""

    what: str
    name: str
    ok: bool
    detail: str
    steps: tuple[TrialStep, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """As programs read it."""
        steps = [
            {
                "step": one.name,
                "seconds": round(one.seconds, 4),
                "ok": one.problem is None,
                "problem": one.problem,
            }
            for one in self.steps
        ]
        return {"what": self.what, "name": self.name, "ok": self.ok, "detail": self.detail, "steps": steps}


def tried(what: str, name: str, work: Callable[[], object], fine: str | None = None) -> Tried:
    """`fine`: what to say if it works; None: what the work returns."""
    try:
        said = work()
    except WritebackError as error:
        return Tried(what, name, False, str(error))
    except Exception as error:  # noqa: BLE001 - whatever it is, the other things are tried all the same
        return Tried(what, name, False, f"an error of the program ({type(error).__name__})")
    return Tried(what, name, True, str(said) if fine is None else fine)
