"""Plain HTTP requests to a server on this machine."""

from __future__ import annotations

import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

Samples = dict[tuple[str, tuple[str, ...]], float]


@dataclass(frozen=True, slots=True)
class Response:
    status: int
    body: str
    headers: Mapping[str, str]


def fetch(port: int, path: str, method: str = "GET", timeout: float = 30) -> Response:
    """The answer to one request, whatever its status."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", method=method)
    try:
        with urllib.request.urlopen(request, timeout=timeout) as answer:
            return Response(answer.status, answer.read().decode(), dict(answer.headers))
    except urllib.error.HTTPError as error:
        with error:
            return Response(error.code, error.read().decode(), dict(error.headers))


def scrape(port: int) -> Samples:
    """{(name without `writeback_`, label values in the order of the labels' names): value}."""
    return parse(fetch(port, "/metrics").body)


def parse(exposition: str) -> Samples:
    return {
        (
            sample.name.removeprefix("writeback_"),
            tuple(sample.labels[name] for name in sorted(sample.labels)),
        ): (sample.value)
        for family in text_string_to_metric_families(exposition)
        for sample in family.samples
    }
