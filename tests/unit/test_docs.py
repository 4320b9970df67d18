"""The documents say what is so: files, targets, variables, commands and tests that they name are there."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import click
import pytest

from schemas.layouts.presets import LAYOUTS
from worker import __version__
from worker.cli import cli
from worker.settings import VARIABLES

ROOT = Path(__file__).resolve().parents[2]
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), ROOT / "tests" / "README.md"]
CHANGELOG = ROOT / "CHANGELOG.md"  # tells also of names that are gone
FAMILIES = ("WRITEBACK_SECRET_", "WRITEBACK_TEST_")

_fences = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_code = re.compile(r"`([^`\n]+)`")
_paths = re.compile(r"(?<![\w/.~-])(?:worker|schemas|tests|deploy|docs)/[\w@*./-]*[\w/*]")
_links = re.compile(r"\]\(([^)\s]+)\)")


def _text(page: Path) -> str:
    return page.read_text(encoding="utf-8")


def _prose(page: Path) -> str:
    return _fences.sub("", _text(page))


def _blocks(page: Path, language: str) -> Iterator[str]:
    return (block for name, block in _fences.findall(_text(page)) if name == language)


def _typed(page: Path) -> Iterator[str]:
    """What a reader is told to type: code in the text, and the lines of shell blocks."""
    yield from _code.findall(_prose(page))
    for block in _blocks(page, "sh"):
        yield from (line.partition(" #")[0].strip() for line in block.splitlines())


def _anchors(page: Path) -> set[str]:
    titles = re.findall(r"^#+ (.+)$", _text(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles}


@cache
def _test_files() -> dict[str, str]:
    """Every file of tests, and every suite that such files run, by its path from the root, with what it says."""
    files = sorted(
        [
            *(ROOT / "tests").rglob("test_*.py"),
            *(ROOT / "docs" / "examples").rglob("test_*.py"),
            *(ROOT / "worker" / "testing").rglob("*_suite.py"),
        ]
    )
    return {path.relative_to(ROOT).as_posix(): _text(path) for path in files}


@pytest.fixture(params=PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def page(request: pytest.FixtureRequest) -> Path:
    """Each document in turn."""
    found: Path = request.param
    return found


def test_every_link_leads_somewhere(page: Path) -> None:
    for link in _links.findall(_prose(page)):
        file, _, anchor = link.partition("#")
        if file.startswith(("http:", "https:")):
            continue
        target = (page.parent / file).resolve() if file else page
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target), link


def test_every_path_that_is_named_is_there(page: Path) -> None:
    missing = {path for path in _paths.findall(_prose(page)) if not list(ROOT.glob(path))}
    assert not missing


def test_every_test_that_is_named_is_there(page: Path) -> None:
    known = "\n".join([*_test_files(), *_test_files().values()])
    named = set(re.findall(r"\btest_\w+(?:\.py)?\b", _prose(page)))
    assert not {name for name in named if name not in known}


def test_every_make_target_that_is_named_is_in_the_makefile(page: Path) -> None:
    targets = set(re.findall(r"^([\w./]+):", _text(ROOT / "Makefile"), re.MULTILINE))
    named = {said for code in _typed(page) for said in re.findall(r"^make (\w+)", code)}
    assert named <= targets


def test_every_variable_that_is_named_means_something(page: Path) -> None:
    named = set(re.findall(r"\bWRITEBACK_[A-Z_]*[A-Z]\b", _text(page)))
    unknown = {name for name in named if name not in VARIABLES and not name.startswith(FAMILIES)}
    if page.parent.name == "tests":
        unknown = {
            name for name in unknown if not any(f'"{name}"' in text for text in _test_files().values())
        }
    assert not unknown


def test_every_variable_is_explained() -> None:
    explained = _text(ROOT / "docs" / "configuration.md")
    assert not [name for name in (*VARIABLES, "BROKER_URL", "DATABASE_URL") if f"`{name}`" not in explained]


def test_every_layout_is_in_the_administrators_table_with_how_sure_it_is() -> None:
    rows = re.findall(
        r"^\| `([\w-]+)` \| .* \| (\w+): .* \|$", _text(ROOT / "docs" / "administrators.md"), re.MULTILINE
    )
    assert rows == [(layout.name, layout.sure) for layout in LAYOUTS.values()]


def test_the_version_is_the_same_wherever_it_stands() -> None:
    assert f'\nversion = "{__version__}"\n' in _text(ROOT / "pyproject.toml")


def test_every_command_that_is_named_can_be_typed(page: Path) -> None:
    for typed in _typed(page):
        if typed.startswith("writeback ") and page != CHANGELOG:
            assert _unknown_word(typed.split()[1:]) is None, typed


def _unknown_word(words: list[str]) -> str | None:
    """The first word that stands where a command is expected and is none."""
    found: click.Command = cli
    for word in words:
        if not isinstance(found, click.Group) or not word.isidentifier() or word.isupper():
            return None
        if word not in found.commands:
            return word
        found = found.commands[word]
    return None


def test_each_worked_example_begins_from_the_code_as_it_is() -> None:
    """A line of a diff that is kept or taken away stands, in this order, in the file that the diff changes."""
    for diff in _blocks(ROOT / "CONTRIBUTING.md", "diff"):
        [file] = re.findall(r"^--- a/(\S+)$", diff, re.MULTILINE)
        lines = iter(_text(ROOT / file).splitlines())
        for line in diff.splitlines():
            if line.startswith((" ", "-")) and not line.startswith("---"):
                assert any(line[1:] == there for there in lines), (
                    f"CONTRIBUTING.md shows a line that is no longer in {file}, mend the example there: {line}"
                )
