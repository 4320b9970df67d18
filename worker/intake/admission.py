"""What may come in: the bounds of a message, its envelope, and whether its sender may say this. (What the sender
of a command may ask for is judged with the command: `worker.actions.commands.authority`.)"""

from __future__ import annotations

from schemas.messages.envelope import MAX_BODY, Envelope, read_envelope
from schemas.messages.events import ReferenceItem, TardyVersion, load_event
from schemas.rejections import RejectedError
from worker.broker.ports import Delivery
from worker.failpoints import Step, reached
from worker.senders import Senders

_REPLAYED_AS = " (of the message as it was first sent: this one was replayed)"


def envelope_in(delivery: Delivery) -> Envelope:
    """The envelope of a message within bounds. Raises RejectedError (`oversize` and those of `read_envelope`)."""
    if delivery.excess is not None:
        raise RejectedError("oversize", delivery.excess)
    return read_envelope(
        delivery.body, delivery.content_type, delivery.content_encoding, dict(delivery.headers)
    )


def event_in(delivery: Delivery, senders: Senders | None) -> TardyVersion | ReferenceItem:
    """The event in a message whose sender may publish it. Raises RejectedError."""
    if senders is not None and delivery.excess is None and len(delivery.body) <= MAX_BODY:
        _refuse(senders.objection(delivery.sender), delivery)
    event = load_event(envelope_in(delivery))
    reached(Step.EVENT_READ, event.message_id)
    if senders is not None:
        _refuse(senders.objection_to_event(delivery.sender, event.district_id), delivery)
    return event


def _refuse(objection: str | None, delivery: Delivery) -> None:
    if objection is not None:
        raise RejectedError("unauthorised", objection + (_REPLAYED_AS if delivery.replayed else ""))
