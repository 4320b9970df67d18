"""Qmlativ's generic objects of attendance: found, created, modified and deleted, one request each."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from worker.destinations.http.answers import Response
from worker.destinations.http.http_failures import LostAnswerError
from worker.destinations.record_port import RowLater, RowOutcome
from worker.destinations.records.calling import Sis
from worker.destinations.records.sis_answers import read, troubled
from worker.errors import DestinationError

_PAGE = 100
_DEEPEST = 3


class TroubledError(Exception):
    """A step of a row did not succeed; `outcome` is what becomes of the row."""

    def __init__(self, outcome: RowOutcome) -> None:
        super().__init__()
        self.outcome = outcome


def same(one: Mapping[str, Any], key: Mapping[str, Any]) -> bool:
    """Whether an object has these values; one that does not say is taken at the SIS's word."""
    return all(str(one[name]) == str(value) for name, value in key.items() if one.get(name) is not None)


class Objects:
    """The objects of one entity. Raises TroubledError where a step fails, and what `Client.ask` raises.

    `writes`: how many requests have changed something.
    """

    def __init__(self, sis: Sis, entity: Any) -> None:
        self.sis, self._entity = sis, entity
        self.writes = 0

    def find(self, kind: str, key: Mapping[str, Any], id_name: str) -> str | None:
        """The id of the object with these values; None: there is none."""
        listed = self._list(kind, key, _PAGE)
        found = next((one for one in listed if same(one, key) and one.get(id_name) is not None), None)
        if found is None and len(listed) >= _PAGE:
            raise TroubledError(
                RowLater(f"a list of {kind} came without what was asked for, and longer than a page")
            )
        return None if found is None else str(found[id_name])

    def create(self, kind: str, values: Mapping[str, Any], id_name: str) -> str:
        """The id of a new object."""
        answer = self._ask("PUT", kind, json={"DataObject": dict(values)})
        its_id = next(_named(answer.json(), id_name), None)
        if its_id is None:
            raise LostAnswerError(f"{answer.server}: what it answered names no {id_name}")
        return str(its_id)

    def modify(self, kind: str, its_id: str, values: Mapping[str, Any]) -> None:
        """Gives an object these values."""
        self._ask("POST", kind, its_id, json={"DataObject": dict(values)})

    def delete(self, kind: str, its_id: str) -> None:
        """Removes an object; one that is gone already is no trouble."""
        self._ask("DELETE", kind, its_id, gone_is_fine=True)

    def first_page(self, kind: str) -> None:
        """Tries whether such objects may be read. Raises DestinationError, TransientError."""
        read(self._listed(kind, {}, 1), kind, "base_url and entity")

    def _list(self, kind: str, key: Mapping[str, Any], size: int) -> Sequence[Mapping[str, Any]]:
        answer = self._judged(self._listed(kind, key, size))
        return [one for one in _array(answer.json()) if isinstance(one, dict)]

    def _listed(self, kind: str, key: Mapping[str, Any], size: int) -> Response:
        conditions = [
            {"FieldName": name, "ConditionType": "Equal", "Value": value} for name, value in key.items()
        ]
        searched = {"SearchCondition": {"ConditionGroupType": "And", "Conditions": conditions}}
        return self.sis.ask("POST", *self._path(kind), 1, size, json=searched)

    def _ask(
        self, method: str, kind: str, *its_id: str, json: Any = None, gone_is_fine: bool = False
    ) -> Response:
        answer = self.sis.ask(method, *self._path(kind), *its_id, json=json)
        if not (gone_is_fine and answer.status in (404, 410)):
            self._judged(answer)
            self.writes += 1
        return answer

    def _judged(self, answer: Response) -> Response:
        if answer.status == 403:  # a new token has been tried: access to this object or field is not approved
            raise DestinationError(
                f"{answer.server}: access is refused ({answer.words()}); have Skyward approve the object and its"
                " fields, then retry the export"
            )
        if (outcome := troubled(answer, names_row=True)) is not None:
            raise TroubledError(outcome)
        return answer

    def _path(self, kind: str) -> tuple[Any, ...]:
        return ("Generic", self._entity, "Attendance", kind)


def _array(said: Any) -> Sequence[Any]:
    """The array that a list's answer is, or holds."""
    if isinstance(said, dict):
        said = next((one for one in said.values() if isinstance(one, list)), ())
    return said if isinstance(said, list) else ()


def _named(said: Any, name: str, depth: int = 0) -> Iterator[Any]:
    """What stands under a name, however deep."""
    if isinstance(said, dict) and depth < _DEEPEST:
        if said.get(name) is not None:
            yield said[name]
        for one in said.values():
            yield from _named(one, name, depth + 1)
