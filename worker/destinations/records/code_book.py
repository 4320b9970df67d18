"""An SIS's dictionary of attendance codes: what an External Reference Code is called by the SIS itself."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Any

from worker.destinations.http.web import Web

_NAMED_BY = ("id", "code", "name", "description")
"""By what an SIS's code may be meant, its id first."""


class CodeBook:
    """`codes` of the definition wins; what is not there is looked up and remembered for an hour. Safe to use from
    several threads.

    `load` reads the SIS's codes, objects with an `id`; its errors go through. `key` tells SISs and schools apart.
    """

    def __init__(
        self, sis: str, codes: Mapping[str, Any], web: Web, key: Hashable, load: Callable[[], Any]
    ) -> None:
        self._sis, self._codes, self._web, self._key, self._load = sis, codes, web, key, load

    def ids(self, codes: Iterable[Any]) -> Mapping[str, Any]:
        """The SIS's id of each External Reference Code; None: the SIS has no such code. One that is missing is looked
        for anew once, since somebody may just have entered it there."""
        wanted = {str(code) for code in codes}
        found = {code: self._codes.get(code) for code in wanted}
        for fresh in (False, True):
            if missing := [code for code, its_id in found.items() if its_id is None]:
                book = self.read(fresh=fresh)
                found |= {code: book.get(code) for code in missing}
        return found

    def read(self, *, fresh: bool = False) -> Mapping[str, Any]:
        """The SIS's id by everything that its codes are called."""
        book: Mapping[str, Any] = self._web.looked_up(self._key, self._named, fresh=fresh)
        return book

    def lacking(self, codes: Iterable[str]) -> list[str]:
        """Those of the codes that the SIS, asked now, does not have, also under what `codes` of the definition calls
        them. Rows that are under way meanwhile go by what was read before."""
        book: Mapping[str, Any] = self._web.renewed(self._key, self._named)
        return [code for code in codes if str(self._codes.get(code, code)) not in book]

    def unknown(self, code: Any) -> str:
        """What is said of a row whose code the SIS does not have."""
        return (
            f"{self._sis} has no attendance code {str(code)!r}: correct the behavior code's External Reference Code,"
            " or map it in the destination's `codes`"
        )

    def _named(self) -> Mapping[str, Any]:
        entries = [one for one in self._load() or () if isinstance(one, dict) and one.get("id") is not None]
        book: dict[str, Any] = {}
        for by in _NAMED_BY:
            for one in entries:
                if isinstance(one.get(by), str | int):
                    book.setdefault(str(one[by]), one["id"])
        return book
