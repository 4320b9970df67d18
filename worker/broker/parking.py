"""What a parked message says about itself, and what it bears when it is parked or replayed; for both
brokers."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any

from schemas.topology import COMMANDS_QUEUE, EVENTS_QUEUE, REJECTED_EXCHANGE
from worker.broker.ports import Parked, Rejection
from worker.errors import RefusedError

EXCHANGE = REJECTED_EXCHANGE
REASON = "x-writeback-reason"
CODE = "x-writeback-code"
QUEUE = "x-writeback-queue"
PARKED_ID = "x-writeback-parked-id"
REPLAYED = "x-writeback-replayed"
USER = "x-writeback-user-id"
EXPIRATION = "x-writeback-expiration"
OURS = "x-writeback-"
"""Headers that begin so are this program's: what a sender writes there is not kept."""

DELIVERY_LIMIT_CODE = "delivery-limit"
UNKNOWN_CODE = "unknown"
_DELIVERY_LIMIT_REASON = (
    "delivered too often without being finished (a crash while it was at work?): "
    "replay it to have it handled again, alone"
)
_BROKERS_REASON = "the broker took it out of its queue: {}"
_UNKNOWN_REASON = "it bears no reason: neither this program nor its broker put it here"
_REPLAYED_TO = (EVENTS_QUEUE, COMMANDS_QUEUE)
# A header must fit in a frame, and a reason is to be read.
_LONGEST_REASON = 2000

_COUNTS = ("x-delivery-count", "x-acquired-count")
_BROKERS = (*_COUNTS, "x-death", "x-first-death-", "x-last-death-", "x-opt-")
# These would route a replayed message to further queues.
_ROUTING = ("CC", "BCC")


def new_parked_id() -> str:
    """An id that a person can type: 16 hexadecimal digits."""
    return uuid.uuid4().hex[:16]


def delivery_limit() -> Rejection:
    """Why a message is parked that came back too often."""
    return Rejection(DELIVERY_LIMIT_CODE, _DELIVERY_LIMIT_REASON)


def reason_headers(rejection: Rejection, queue: str) -> dict[str, str]:
    """The headers that a message gets when it is parked."""
    reason = " ".join(rejection.reason.split())[:_LONGEST_REASON].encode("utf-8", "replace").decode()
    return {REASON: reason, CODE: rejection.code, QUEUE: queue, PARKED_ID: new_parked_id()}


def is_left_behind_on_parking(header: str) -> bool:
    """Whether a header is the broker's count, or one of ours, which parking writes anew."""
    return header in _COUNTS or header.startswith(OURS)


def is_left_behind_on_renewal(header: str) -> bool:
    """The same for a parked message that is published anew, straight into its queue: nor may it go to others."""
    return is_left_behind_on_parking(header) or header in _ROUTING


def is_left_behind_on_replay(header: str) -> bool:
    """Whether a header tells of parking, of the broker's own handling, or would lead a replayed message
    astray."""
    return header.startswith((OURS, *_BROKERS)) or header in _ROUTING


def describe(
    body: bytes,
    headers: Mapping[str, Any],
    message_id: str | None,
    content_type: str | None,
    *,
    by_us: bool = True,
    sender: str | None = None,
) -> Parked:
    """The parked message as a person sees it. What the broker parked by itself has its reason as the code.

    `by_us`: what its headers of ours say was written by this program. Where it was not, they are passed over if
    the broker took the message out of a queue of ours.
    """
    broker_parked = PARKED_ID not in headers or (
        not by_us and _last_death(headers).get("queue") in _REPLAYED_TO
    )
    died_of = _died_of(headers) if broker_parked else ""
    told: Mapping[str, Any] = {} if died_of else headers
    code, reason = str(told.get(CODE, "")), str(told.get(REASON, ""))
    if died_of:
        code = died_of.replace("_", "-")
        reason = _DELIVERY_LIMIT_REASON if code == DELIVERY_LIMIT_CODE else _BROKERS_REASON.format(code)
    return Parked(
        parked_id=_parked_id(body, told, message_id),
        code=code or UNKNOWN_CODE,
        reason=reason or _UNKNOWN_REASON,
        queue=_origin(headers, told),
        body=body,
        headers=headers,
        content_type=content_type,
        sender=sender,
    )


def can_be_replayed(parked: Parked) -> bool:
    """Whether it came from a queue of ours; only there is it put back, whatever its headers say."""
    return parked.queue in _REPLAYED_TO


def refuse_unknown(wanted: set[str], found: set[str]) -> None:
    """Raises RefusedError naming the ids that are not parked."""
    if unknown := sorted(wanted - found):
        raise RefusedError(
            f"not parked: {', '.join(unknown)}; nothing was changed (`writeback rejected list`)"
        )


def refuse_homeless(parked: list[Parked]) -> None:
    """Raises RefusedError naming those that came from no queue of ours."""
    if homeless := sorted({one.parked_id for one in parked if not can_be_replayed(one)}):
        raise RefusedError(
            f"can't be replayed, they came from no queue of this program: {', '.join(homeless)}; "
            "nothing was changed"
        )


def _parked_id(body: bytes, headers: Mapping[str, Any], message_id: str | None) -> str:
    given = headers.get(PARKED_ID)
    if isinstance(given, str) and given:
        return given
    about = body + (message_id or "").encode("utf-8", "surrogateescape")
    return hashlib.sha256(about).hexdigest()[:16]


def _origin(headers: Mapping[str, Any], told: Mapping[str, Any]) -> str:
    queue = told.get(QUEUE) if PARKED_ID in told else None
    return str(queue or _last_death(headers).get("queue") or headers.get("x-first-death-queue") or "")


def _died_of(headers: Mapping[str, Any]) -> str:
    return str(_last_death(headers).get("reason") or headers.get("x-first-death-reason") or "")


def _last_death(headers: Mapping[str, Any]) -> Mapping[str, Any]:
    deaths = headers.get("x-death")
    return deaths[0] if isinstance(deaths, list) and deaths and isinstance(deaths[0], dict) else {}
