"""Kinds of destinations that other packages bring: one that can be used is there, one that is broken is told of."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest

from worker.core.record_rules import FORMS
from worker.destinations.file_port import FileKind
from worker.destinations.files import directory
from worker.destinations.kinds import DESTINATIONS, Kind, add, record_fields
from worker.destinations.opening import Opener
from worker.destinations.plug_ins import GROUP, PlugIns, merge
from worker.destinations.record_port import RecordKind
from worker.errors import DestinationError
from worker.testing.installations import installation

FILES = """
from worker.core.record_rules import FORMS
from worker.destinations.file_port import FileKind
from worker.destinations.files.directory import KIND as ours
KIND = FileKind(ours.schema, ours.open, ours.place)
"""
RECORDS = """
from marshmallow import Schema, fields
from schemas.definition.records import RecordFields
from worker.core.record_rules import Capabilities, RecordForm
from worker.destinations.record_port import RecordKind
class Options(Schema):
    type = fields.String()
FORM = RecordForm(Capabilities("own", frozenset({"create"})), RecordFields(({"field": "student.id"},)))
KIND = RecordKind(Options, lambda *_: None, lambda _: FORM)
"""


MUTE = """
class Mute(Exception):
    def __str__(self):
        raise ValueError
raise Mute
"""


class Packages:
    """Folders on sys.path as pip leaves them."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.modules: list[str] = []

    def install(self, module: str, source: str, *entries: str) -> None:
        """A distribution with one module, and these entry points of it."""
        (self._path / f"{module}.py").write_text(source)
        told = self._path / f"{module}-1.0.dist-info"
        told.mkdir()
        (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module}\nVersion: 1.0\n")
        lines = "\n".join(f"{entry} = {module}:KIND" for entry in entries)
        (told / "entry_points.txt").write_text(f"[{GROUP}]\n{lines}\n")
        self.modules.append(module)


@pytest.fixture
def packages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Packages]:
    monkeypatch.syspath_prepend(str(tmp_path))
    packages = Packages(tmp_path)
    yield packages
    for name in packages.modules:
        sys.modules.pop(name, None)


def merged(packages: Packages) -> tuple[dict[str, Kind], tuple[str, ...]]:
    """The kinds there are with these packages, and what could not be used; others may be installed here."""
    found = [point for point in entry_points(group=GROUP) if point.module in packages.modules]
    kinds: dict[str, Kind] = {"directory": directory.KIND}
    return kinds, merge(kinds, found).lines


def test_a_kind_of_either_port_is_added_by_its_entry_point(packages: Packages) -> None:
    packages.install("acme_files", FILES, "acme")
    packages.install("acme_records", RECORDS, "acme_api")
    kinds, lines = merged(packages)
    assert (list(kinds), lines) == (["directory", "acme", "acme_api"], ())
    assert isinstance(kinds["acme"], FileKind) and isinstance(kinds["acme_api"], RecordKind)


@pytest.mark.parametrize(
    ("source", "entry", "told"),
    [
        ("import no_such_module\n", "acme", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("KIND = 1 / 0\n", "acme", "ZeroDivisionError: division by zero"),
        ("raise ValueError('two\\nlines')\n", "acme", "ValueError: two lines"),
        ("raise SystemExit(3)\n", "acme", "SystemExit: 3"),
        ("class Panic(BaseException): ...\nraise Panic('at once')\n", "acme", "Panic: at once"),
        (MUTE, "acme", "Mute: (it does not say why)"),
        ("def KIND(:\n", "acme", "SyntaxError: "),
        ("OTHER = 1\n", "acme", "AttributeError: module 'broken' has no attribute 'KIND'"),
        ("KIND = 7\n", "acme", "TypeError: it is neither a FileKind nor a RecordKind"),
        (FILES.replace("ours.schema", "str"), "acme", "TypeError: its schema is no marshmallow Schema"),
        (RECORDS.replace("    type =", "    kind ="), "acme", "TypeError: its schema lacks the field type"),
        (FILES, "directory", "ValueError: there is a destination type of that name already"),
        (FILES, "Acme-1", "ValueError: its name is not made of small letters, digits and _"),
    ],
)
def test_a_broken_plug_in_is_told_in_one_line_and_the_others_are_there(
    packages: Packages, source: str, entry: str, told: str
) -> None:
    packages.install("broken", source, entry)
    packages.install("sound", FILES, "sound")
    kinds, [line] = merged(packages)
    assert list(kinds) == ["directory", "sound"] and kinds["directory"] is directory.KIND
    assert line.startswith(f"destination plug-in {entry!r} of broken 1.0 cannot be used: {told}")
    assert line.endswith("; update or remove that package") and "\n" not in line


def test_other_plug_ins_make_another_build(packages: Packages) -> None:
    assert PlugIns().build("1.2.3") == "1.2.3"
    one, two = PlugIns(("acme=acme 1.0",)).build("1.2.3"), PlugIns(("acme=acme 1.1",)).build("1.2.3")
    assert one != two and one.startswith("1.2.3+") and len(PlugIns(("a",)).build("9" * 99)) == 32


def test_a_kind_that_takes_records_says_which_fields_a_definition_has(packages: Packages) -> None:
    packages.install("acme_records", RECORDS, "acme_api")
    kinds, _ = merged(packages)
    try:
        add("acme_api", kinds["acme_api"])
        asked = record_fields({"type": "acme_api"})
    finally:
        del DESTINATIONS["acme_api"], FORMS["acme_api"]
    assert asked is not None and asked.default == ({"field": "student.id"},)


def test_of_two_plug_ins_of_one_name_the_first_is_used(packages: Packages) -> None:
    packages.install("one", FILES, "acme")
    packages.install("two", FILES, "acme")
    kinds, [line] = merged(packages)
    assert list(kinds) == ["directory", "acme"]
    assert "of two 1.0 cannot be used: ValueError: there is a destination type of that name" in line


def test_what_takes_records_is_not_opened_for_files(packages: Packages, tmp_path: Path) -> None:
    packages.install("acme_records", RECORDS, "acme_api")
    kinds, _ = merged(packages)
    opener = Opener(installation(tmp_path), lambda name: name, kinds)
    with pytest.raises(DestinationError, match="'acme_api' takes records, no files"):
        opener.files({"type": "acme_api"})
    with pytest.raises(DestinationError, match="'sftp' is not known to this version; known: directory"):
        opener.files({"type": "sftp"})


def test_a_broken_plug_in_ends_no_command_and_check_tells_of_it(packages: Packages, tmp_path: Path) -> None:
    packages.install("broken", "raise SystemExit(3)\n", "acme")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "WRITEBACK_HOME": str(tmp_path / "home")}

    def writeback(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "worker", *arguments]
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    assert writeback("exports", "list").returncode == 0
    checked = writeback("check", "--json")
    told = [one["detail"] for one in json.loads(checked.stdout) if not one["ok"]]
    assert checked.returncode == 1
    [line] = [detail for detail in told if "of broken 1.0" in detail]
    assert "destination plug-in 'acme' of broken 1.0 cannot be used: SystemExit: 3" in line
