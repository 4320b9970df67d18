"""Renaming without replacing, in one step of the kernel's."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
from collections.abc import Callable
from typing import cast

_NOREPLACE = 1
# What a kernel, a C library or a file system says that does not offer it.
_NOT_OFFERED = frozenset({errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP})


def rename_new(folder: int, name: str, new: str) -> bool:
    """Renames within an open folder. Raises FileExistsError where `new` is there, whoever put it there when.

    False: this cannot be had here. It was looked first instead, and between the look and the rename another
    could put a file there, which is then lost. (A hard link and an unlink would not do: who dies between the two
    leaves the temporary name behind, which says that the file has not gone.)
    """
    rename = _renameat2()
    if rename is not None:
        if rename(folder, os.fsencode(name), folder, os.fsencode(new), _NOREPLACE) == 0:
            return True
        code = ctypes.get_errno()
        if code not in _NOT_OFFERED:
            raise OSError(code, os.strerror(code), new)
    _look_then_rename(folder, name, new)
    return False


def _look_then_rename(folder: int, name: str, new: str) -> None:
    try:
        os.lstat(new, dir_fd=folder)
    except FileNotFoundError:
        os.rename(name, new, src_dir_fd=folder, dst_dir_fd=folder)
        return
    raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), new)


@functools.cache
def _renameat2() -> Callable[..., int] | None:
    """The C library's function; None where it has none."""
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)
    function.restype = ctypes.c_int
    return cast("Callable[..., int]", function)
