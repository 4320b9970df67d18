"""A far side for each kind of destination that takes files. To add one: one class, one line in the table of the suite
that says most of the kind."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.contract.ftps_site import ftps_folder, ftps_folder_without_rename
from tests.contract.sftp_sites import behind_another, behind_openssh, without_rename
from tests.contract.web_site import WebSite
from worker.testing.file_suite import Site
from worker.testing.folder_site import FolderSite


def relative_folder(home: Path) -> FolderSite:
    """One that the program makes."""
    return FolderSite("outbox", home)


def absolute_folder(home: Path) -> FolderSite:
    """One that has to be there."""
    (home / "outbox").mkdir()
    return FolderSite(home / "outbox", home)


Sites = Mapping[str, Sequence[Callable[[Path], Site]]]

BLIND: Sites = {
    "https": (WebSite,),
}
RENAMING: Sites = {
    "directory": (relative_folder, absolute_folder),
    "ftps": (ftps_folder,),
    "sftp": (behind_openssh, behind_another),
}
RESENDING: Sites = {
    "ftps": (ftps_folder_without_rename,),
    "sftp": (without_rename,),
}
NUMBERED: Sites = {
    "directory": (relative_folder, absolute_folder),
}
