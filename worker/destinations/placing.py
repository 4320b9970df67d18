"""Whether an export may send where its definition says, and whether two of them send to one place."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from worker.destinations.file_port import as_written
from worker.destinations.kinds import DESTINATIONS, chosen
from worker.destinations.places import Places
from worker.errors import DeliveryError, PlugInError

Options = Mapping[str, Any]


def place_problem(destination: Options, places: Places) -> str | None:
    """Why this installation may put nothing there; None: it may, or it is for others to say."""
    kind = DESTINATIONS.get(destination["type"])
    if kind is None:
        return None
    try:
        chosen(kind, destination).place(destination, places)
    except (DeliveryError, PlugInError) as error:
        return str(error)
    return None


def server_of(destination: Options) -> str:
    """The same for two destinations that one server, or one folder, stands behind: who is silent keeps nobody waiting
    at another."""
    for name in ("base_url", "url", "domain"):
        if isinstance(address := destination.get(name), str):
            return urlsplit(address if "//" in address else f"//{address}").hostname or address
    return str(destination.get("host") or destination.get("path") or destination["type"])


def place_name(destination: Options, places: Places) -> str:
    """The same for two `destination` objects that lead to one place, as seen from here and now."""
    kind = DESTINATIONS.get(destination["type"])
    place = as_written if kind is None else chosen(kind, destination).place
    try:
        name = place(destination, places)
    except (
        DeliveryError,
        PlugInError,
        KeyError,
        TypeError,
        ValueError,
    ):  # nothing goes there, or a newer program knows where
        name = as_written(destination, places)
    return f"{destination['type']}:{name}"
