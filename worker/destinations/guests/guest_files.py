"""A plug-in's destination that takes files: asked as any other, its answers looked at before they are believed."""

from __future__ import annotations

from collections.abc import Iterable

from worker import defects
from worker.destinations.file_port import Departed, FileDestination, GivenNumber, Replaceable, Uploaded
from worker.destinations.guests.blame import Blame, Passing
from worker.destinations.trial import Trial
from worker.errors import UnavailableError


class GuestFiles:
    """Raises PlugInError beside what the port names."""

    def __init__(self, destination: FileDestination, blame: Blame) -> None:
        self._destination, self._blame = destination, blame

    def require_free(
        self, name: str, *, replace: Replaceable | None, departed: Departed | None = None
    ) -> None:
        with self._blame.during("require_free"):
            self._destination.require_free(name, replace=replace, departed=departed)

    def upload(self, temporary: str, chunks: Iterable[bytes], *, mark: str) -> Uploaded:
        rows = Passing(chunks)
        with self._blame.during("upload", rows):
            uploaded = self._destination.upload(temporary, rows, mark=mark)
        self._blame.require(uploaded, Uploaded, "upload")
        self._blame.require(uploaded.sha256, str, "upload, as the sha256,")
        self._blame.require(uploaded.bytes, int, "upload, as the bytes,")
        return uploaded

    def publish(self, temporary: str, name: str, *, replace: Replaceable | None, key: str) -> None:
        with self._blame.during("publish"):
            self._destination.publish(temporary, name, replace=replace, key=key)

    def last_given(self, export_id: str) -> GivenNumber | None:
        with self._blame.during("last_given"):
            given = self._destination.last_given(export_id)
        if given is not None:
            self._blame.require(given, GivenNumber, "last_given")
            self._blame.require(given.number, int, "last_given, as the number,")
        return given

    def note_given(self, export_id: str, given: GivenNumber) -> None:
        with self._blame.during("note_given"):
            self._destination.note_given(export_id, given)

    def fence(self, names: Iterable[str], fenced: str, *, mark: str, departed: Departed) -> bool:
        with self._blame.during("fence"):
            found = self._destination.fence(list(names), fenced, mark=mark, departed=departed)
        # What is not there counts as gone, and gone as delivered: None is no such answer.
        self._blame.require(found, bool, "fence")
        return found

    def discard(self, names: Iterable[str]) -> bool:
        try:
            with self._blame.during("discard"):
                return self._destination.discard(list(names)) is True
        except UnavailableError:
            return False
        except Exception as error:  # noqa: BLE001 - the port: it never raises
            defects.noted("sweep", error)
            return False

    def check(self, trial: Trial) -> None:
        with self._blame.during("check"):
            self._destination.check(trial)

    def close(self) -> None:
        try:
            with self._blame.during("close"):
                self._destination.close()
        except Exception as error:  # noqa: BLE001 - the port: it never raises
            defects.noted("sweep", error)
