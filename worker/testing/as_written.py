"""Whether a request that came is the one that a preview had written down."""

from __future__ import annotations

import json
import re
from typing import Any
from urllib.parse import urlsplit

from worker.destinations.record_port import WrittenRequest
from worker.testing.web_server import Seen

_placeholder = re.compile("(<[^<>]*>)")


def is_as_written(seen: Seen, written: WrittenRequest) -> bool:
    """Anything may stand where a placeholder is; nothing else may differ, but for headers that say who asks."""
    at = urlsplit(written.url)
    target = f"{at.path}?{at.query}" if at.query else at.path
    headers = all(_fits(seen.headers.get(name.lower()), value) for name, value in written.headers.items())
    return seen.method == written.method and _fits(seen.target, target) and headers and _says(seen, written)


def _says(seen: Seen, written: WrittenRequest) -> bool:
    if written.body is None:
        return seen.body == b""
    try:
        return _fits(json.loads(seen.body), written.body)
    except ValueError:
        return _fits(seen.form, written.body)


def _fits(there: Any, said: Any) -> bool:
    if isinstance(said, dict):
        return (
            isinstance(there, dict)
            and there.keys() == said.keys()
            and all(_fits(there[name], value) for name, value in said.items())
        )
    if isinstance(said, list | tuple):
        same = isinstance(there, list) and len(there) == len(said)
        return same and all(_fits(one, other) for one, other in zip(there, said, strict=True))
    if isinstance(said, str) and _placeholder.search(said):
        parts = (
            ".*" if _placeholder.fullmatch(part) else re.escape(part) for part in _placeholder.split(said)
        )
        return re.fullmatch("".join(parts), str(there), re.DOTALL) is not None
    return type(there) is type(said) and bool(there == said)
