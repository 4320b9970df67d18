"""Whose fault it was: what a plug-in's code raises, told as an error of the port or as the plug-in's own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from schemas.shown import plain
from worker.errors import (
    DeliveryError,
    DestinationError,
    ElsewhereError,
    PlugInError,
    TransientError,
    UnavailableError,
)

_LONGEST = 2000  # characters of what a plug-in says


@dataclass(frozen=True, slots=True)
class Blame:
    """A plug-in by name, as a person is told of it: `destination plug-in 'acme' of acme-sis 1.0`."""

    plug_in: str

    def of(self, what: str) -> PlugInError:
        """The error that says what the plug-in did."""
        return PlugInError(f"{self.plug_in} {what}; update or remove that package")

    @contextmanager
    def during(self, doing: str, ours: Passing | None = None) -> Iterator[None]:
        """Its code runs: raises TransientError, DestinationError or UnavailableError as it does, what `ours` has
        raised, and PlugInError for anything else, an end of the process included."""
        try:
            yield
        except (KeyboardInterrupt, UnavailableError, PlugInError):
            raise
        except DeliveryError as error:
            raise _as_the_port_has_it(error).with_traceback(error.__traceback__) from error.__cause__
        except BaseException as error:
            if ours is not None and error is ours.raised:
                raise
            told = self.of(f"raised {type(error).__name__} in `{doing}`")
            raise told.with_traceback(error.__traceback__) from None

    def require(self, answer: Any, kinds: type | tuple[type, ...], doing: str) -> None:
        """Raises PlugInError where the answer is of none of these types."""
        if not isinstance(answer, kinds):
            raise self.of(f"returned a {type(answer).__name__} from `{doing}`")


class Passing:
    """What this side hands in to be read, and the error that reading it met: that one is no plug-in's fault."""

    def __init__(self, chunks: Iterable[bytes]) -> None:
        self._chunks = chunks
        self.raised: BaseException | None = None

    def __iter__(self) -> Iterator[bytes]:
        try:
            yield from self._chunks
        except BaseException as error:
            self.raised = error
            raise


def one_line(said: Callable[[], object]) -> str:
    """What a plug-in says, as a person may read it: its text may be wrong as well."""
    try:
        return plain(" ".join(str(said()).split()))[:_LONGEST]
    except Exception:  # noqa: BLE001 - its text is somebody else's code
        return "(it does not say why)"


def seconds(asked: object) -> float | None:
    """A wait that was asked for; None where it is none."""
    right = isinstance(asked, int | float) and math.isfinite(asked) and asked >= 0
    return float(asked) if right else None  # type: ignore[arg-type]  # mypy does not see what `right` says


def _as_the_port_has_it(error: DeliveryError) -> DeliveryError:
    """None of the program's own errors, such as one that has a run begin again at once."""
    text = one_line(lambda: error)
    if isinstance(error, ElsewhereError):
        return ElsewhereError(text)
    if isinstance(error, TransientError):
        return TransientError(text, retry_after=seconds(error.retry_after))
    return DestinationError(text)
