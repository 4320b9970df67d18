"""What a person decides about a run or about entries, as data."""

from __future__ import annotations

from typing import Any

from schemas.fields.objects import Items, StrictSchema
from schemas.fields.scalars import Flag, Text


class RunDecisionSchema(StrictSchema):
    """The data of `run.approve` and `run.resend`."""

    run_id = Text(
        1, 64, required=True, about="The run's id, or as many of its first digits as name one run alone."
    )
    reason = Text(1, 500, required=True, about="Why; it is kept with who and when.")


class AbandonSchema(StrictSchema):
    """The data of `run.abandon`."""

    run_id = Text(
        1, 64, required=True, about="The run's id, or as many of its first digits as name one run alone."
    )
    reason = Text(1, 500, about="Why; it is kept with who and when.")
    not_sent = Flag(
        load_default=False, about="You have seen that the file did not arrive: the destination is not asked."
    )


class EntryDecisionSchema(StrictSchema):
    """The data of `entry.release`, `entry.dismiss` and `entry.undo`: all that the ids name, or nothing."""

    ids = Items(
        Text(1, 200),
        minimum=1,
        unique=True,
        required=True,
        about="Each EXPORT/TARDY_ID, or a TARDY_ID alone: that tardy in every export.",
    )
    reason = Text(1, 500, required=True, about="Why; it is kept with who and when.")


APPROVE: dict[str, Any] = {"run_id": "7b1e6c1c", "reason": "The fire drill made everybody late"}
RESEND: dict[str, Any] = {"run_id": "7b1e6c1c", "reason": "The SIS was restored from last night's backup"}
ABANDON: dict[str, Any] = {
    "run_id": "7b1e6c1c",
    "reason": "The old server is gone for good",
    "not_sent": True,
}
RELEASE: dict[str, Any] = {
    "ids": ["lincoln-daily/t-20261123-0007"],
    "reason": "The office has seen the correction",
}
DISMISS: dict[str, Any] = {"ids": ["t-20261123-0007"], "reason": "Typed into the SIS by hand"}
UNDO: dict[str, Any] = {"ids": ["t-20261123-0007"], "reason": "It was another student"}
