"""The `schedule` of an export definition: one schema a frequency, each with the options that belong to it."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from cronsim import CronSim, CronSimError
from marshmallow import ValidationError

from schemas.fields.objects import Items, OneOrMore, StrictSchema
from schemas.fields.scalars import (
    Choice,
    Flag,
    JsonSchema,
    Number,
    Strict,
    Whole,
    whole,
)
from schemas.fields.times import LocalTime, TimeZone
from schemas.messages.reference import Weekday

_CRON = "[0-9A-Za-z*/,#-]+(?: +[0-9A-Za-z*/,#-]+){4}"
_is_cron = re.compile(_CRON).fullmatch
LONGEST_CRON = 300
_SOME_DAY = datetime(2026, 1, 1)  # noqa: DTZ001 -- wall clock; whether it ever fires depends on no zone


class Cron(Strict):
    """A cron expression of five fields that fires at some time within 50 years."""

    def check(self, value: Any) -> str:
        if type(value) is not str or len(value) > LONGEST_CRON or _is_cron(value) is None:
            raise ValidationError(
                "must be a cron expression of five fields, like 30 10 * * MON-FRI "
                "(minute, hour, day of month, month, day of week)"
            )
        try:
            next(CronSim(value, _SOME_DAY))
        except CronSimError as error:
            raise ValidationError(f"is not a cron expression: {error}") from None
        except StopIteration:
            raise ValidationError("never fires: no such day comes") from None
        return value

    def json_schema(self) -> JsonSchema:
        return {
            "type": "string",
            "maxLength": LONGEST_CRON,
            "pattern": whole(_CRON),
        }


def _days(**kwargs: Any) -> Items:
    return Items(Weekday(), minimum=1, unique=True, **kwargs)


def _at(**kwargs: Any) -> OneOrMore:
    return OneOrMore(LocalTime(), minimum=1, unique=True, **kwargs)


class ScheduleSchema(StrictSchema):
    """What every frequency has."""

    tells_known = True
    frequency = Choice(required=True)
    time_zone = TimeZone(required=True)
    school_days_only = Flag()


class ManualSchema(ScheduleSchema):
    """Runs when asked to."""

    frequency = Choice("manual", required=True)


class ContinuousSchema(ScheduleSchema):
    """Near real time: a run as soon as something has waited `linger_seconds`, of at most `max_rows` rows."""

    frequency = Choice("continuous", required=True)
    linger_seconds = Number(0, 3600)
    max_rows = Whole(1, 1_000_000)


class IntervalSchema(ScheduleSchema):
    """Every so many minutes."""

    frequency = Choice("interval", required=True)
    every_minutes = Whole(1, 1440, required=True)
    days = _days()


class HourlySchema(ScheduleSchema):
    """Every hour at that minute."""

    frequency = Choice("hourly", required=True)
    minute = Whole(0, 59, required=True)
    days = _days()


class DailySchema(ScheduleSchema):
    """At these local times."""

    frequency = Choice("daily", required=True)
    at = _at(required=True)
    days = _days()


class WeeklySchema(ScheduleSchema):
    """On these weekdays at these local times."""

    frequency = Choice("weekly", required=True)
    on = OneOrMore(Weekday(), minimum=1, unique=True, required=True)
    at = _at(required=True)


class CronSchema(ScheduleSchema):
    """When the expression says."""

    frequency = Choice("cron", required=True)
    expression = Cron(required=True)


FREQUENCIES: dict[str, type[StrictSchema]] = {
    "manual": ManualSchema,
    "continuous": ContinuousSchema,
    "interval": IntervalSchema,
    "hourly": HourlySchema,
    "daily": DailySchema,
    "weekly": WeeklySchema,
    "cron": CronSchema,
}
