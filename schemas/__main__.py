"""`python -m schemas` writes the published files anew. The one place of `schemas` that opens a file."""

from __future__ import annotations

from importlib.resources import files

from schemas.publishing.published_files import published


def main() -> None:
    """Writes every published file beside this module."""
    folder = files("schemas") / "published"
    for name, text in published().items():
        # `schemas` may not import pathlib: hence the plain open
        with open(str(folder / name), "w", encoding="utf-8", newline="\n") as file:  # noqa: PTH123
            file.write(text)


if __name__ == "__main__":
    main()
