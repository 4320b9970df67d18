"""A far side for each kind of destination that takes records. To add one: a line in `SITES`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from tests.contract import ed_fi_site
from tests.contract.sis_sites import (
    BLACKBAUD,
    CLASS,
    HOMEROOM,
    HTTPS,
    MEETING,
    POWERSCHOOL,
    SKYWARD,
    SYCAMORE,
    WONDE_LESSON,
    WONDE_SESSION,
    Case,
    SisSite,
)
from worker.testing.record_suite import RecordSite


def _at(case: Case) -> Callable[[Path], RecordSite]:
    return lambda home: SisSite(case, home)


SITES: Mapping[str, Mapping[str, Callable[[Path], RecordSite]]] = {
    "ed_fi": {"school": ed_fi_site.school_attendance, "section": ed_fi_site.section_attendance},
    "powerschool": {"daily": _at(POWERSCHOOL), "meeting": _at(MEETING)},
    "wonde": {"session": _at(WONDE_SESSION), "lesson": _at(WONDE_LESSON)},
    "managebac": {"homeroom": _at(HOMEROOM), "class": _at(CLASS)},
    "sycamore": {"class": _at(SYCAMORE)},
    "blackbaud": {"school": _at(BLACKBAUD)},
    "https": {"records": _at(HTTPS)},
    "skyward": {"entity": _at(SKYWARD)},
}
