"""When an export is due: local wall-clock rules in, UTC instants out.

`hourly`, `daily`, `weekly` and `cron` name local wall-clock times. cronsim lists them as plain wall times,
without a zone, and each becomes an instant by one rule, whatever the frequency:

- a time that exists once that day is that instant;
- one that comes twice (clocks go back) is its first occurrence, and runs once;
- one that does not exist (clocks go forward) is the first moment after the gap; several in a gap are one run.

So `hourly` at minute 15 in America/Chicago runs on 2026-11-01 at 01:15 CDT and next at 02:15 CST, two real
hours later, and on 2026-03-08 at 01:15, 03:00 (for the missing 02:15) and 03:15.

`interval` counts elapsed real time: every N minutes from the first moment of each local day, starting anew at
each local midnight. A change of the clocks neither delays nor doubles it; a day of 23 or 25 hours has fewer
or more runs (every 60 minutes: 23 or 25; every 1440 on a day of 25 hours: one at 00:00 and one at 23:00).

cronsim is not given the zone because what it does with one departs from the rule above. Started in the second
pass of a repeated hour it returns the first pass, which is over; where minute or hour is `*` it runs the
repeated hour twice and skips a missing one; in Australia/Lord_Howe, where clocks move by 30 minutes,
`*/15 3 * * *` loses 03:00 and 03:15; in Africa/Cairo, where midnight goes missing, `* 0 * * fri` returns a
moment that the clocks never show.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta

from cronsim import CronSim, CronSimError

from schemas.fields.zones import Zone, zone_of
from worker.core.definition import WEEKDAYS, Schedule
from worker.errors import RefusedError

_SECOND = timedelta(seconds=1)
_DAY = timedelta(days=1)

# A weekday comes again after 7 days, after 14 where a zone left that very day out (Pacific/Apia, 2011-12-30).
_INTERVAL_DAYS = 16


def next_due(schedule: Schedule, after: datetime) -> datetime | None:
    """The first due time strictly after `after`, in UTC; None: never (also manual and continuous).

    `after` is any aware instant. `days` holds for interval, hourly and daily; a cron expression says its own.
    Raises RefusedError for a cron expression that cannot be read or can never match.
    """
    after = _utc(after)
    zone = schedule.zone
    if schedule.frequency == "interval":
        return _next_in_days(schedule, zone, after)
    found = (_next_of(expression, zone, after) for expression in _expressions(schedule))
    return min((due for due in found if due is not None), default=None)


def latest_due(schedule: Schedule, after: datetime, until: datetime) -> datetime | None:
    """The last due time later than `after` and not later than `until`, in UTC; None: there is none.

    Looks backwards from `until`, so a downtime of a year costs what one of a minute does.
    Raises RefusedError as `next_due` does.
    """
    after, until = _utc(after), _utc(until)
    zone = schedule.zone
    if schedule.frequency == "interval":
        found = [_latest_in_days(schedule, zone, until)]
    else:
        found = [_latest_of(expression, zone, until) for expression in _expressions(schedule)]
    return max((due for due in found if due is not None and due > after), default=None)


def local_date(instant: datetime, zone: str) -> date:
    """The calendar date that the clocks of the IANA time zone `zone` show at an aware instant."""
    return _utc(instant).astimezone(zone_of(zone)).date()


def _utc(instant: datetime) -> datetime:
    if instant.tzinfo is None:
        raise ValueError("an instant without a time zone was given where an aware one is needed")
    return instant.astimezone(UTC)


def _expressions(schedule: Schedule) -> tuple[str, ...]:
    """The schedule's wall times as cron expressions; () where it has none."""
    match schedule.frequency:
        case "hourly":
            return _on_days((f"{schedule.minute} *",), schedule.days)
        case "daily":
            return _on_days(_minutes_and_hours(schedule.at), schedule.days)
        case "weekly":
            return _on_days(_minutes_and_hours(schedule.at), schedule.on)
        case "cron":
            return (schedule.expression,)
        case _:
            return ()


def _minutes_and_hours(times: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{int(at[3:])} {int(at[:2])}" for at in times)


def _on_days(times: tuple[str, ...], days: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(f"{moment} * * {','.join(days)}" for moment in times) if days else ()


def _next_of(expression: str, zone: Zone, after: datetime) -> datetime | None:
    start = after.astimezone(zone).replace(tzinfo=None)
    dues = (_instant(wall, zone) for wall in _walls(expression, start))
    return next((due for due in dues if due > after), None)


def _latest_of(expression: str, zone: Zone, until: datetime) -> datetime | None:
    walls = _walls(expression, _highest_wall(until, zone) + _SECOND, reverse=True)
    dues = (_instant(wall, zone) for wall in walls)
    return next((due for due in dues if due <= until), None)


def _walls(expression: str, start: datetime, *, reverse: bool = False) -> Iterator[datetime]:
    """The wall times an expression names, strictly after (reverse: before) the wall time `start`."""
    wanted = "five fields are wanted: minute, hour, day of month, month, day of week"
    if len(expression.split()) != 5:
        raise RefusedError(f"schedule.expression: {wanted}")
    try:
        return CronSim(expression, start, reverse=reverse)
    # ValueError: a number of thousands of digits, which Python declines to read.
    except (CronSimError, ValueError) as error:
        reason = str(error) if isinstance(error, CronSimError) else "a number is too long"
        raise RefusedError(f"schedule.expression: {reason}; {wanted}") from None


def _instant(wall: datetime, zone: Zone) -> datetime:
    """The UTC instant of a naive wall time, by the rule at the top. Never decreases as `wall` grows."""
    first, second = (wall.replace(tzinfo=zone, fold=fold).astimezone(UTC) for fold in (0, 1))
    # In a gap the offset before the change (fold 0) yields the later instant of the two.
    return first if first <= second else _end_of_gap(second, first, zone)


def _end_of_gap(before: datetime, after: datetime, zone: Zone) -> datetime:
    """The second at which the zone's offset changes, in (before, after]."""
    old = before.astimezone(zone).utcoffset()
    while after - before > _SECOND:
        middle = before + timedelta(seconds=(after - before) // _SECOND // 2)
        if middle.astimezone(zone).utcoffset() == old:
            before = middle
        else:
            after = middle
    return after


def _highest_wall(until: datetime, zone: Zone) -> datetime:
    """A wall time, to the second, not below any whose first occurrence is at or before `until`.

    In the second pass of a repeated hour that is more than the clock shows: the first pass went on to the
    change, and all of it is over.
    """
    until = until.replace(microsecond=0)
    local = until.astimezone(zone).replace(fold=0)
    since_first_pass = until - local.astimezone(UTC)
    return local.replace(tzinfo=None) + since_first_pass


def _next_in_days(schedule: Schedule, zone: Zone, after: datetime) -> datetime | None:
    step = timedelta(minutes=schedule.every_minutes)
    today = after.astimezone(zone).date()
    for start, end in _matching_days(schedule, zone, today, _DAY):
        due = start if after < start else start + ((after - start) // step + 1) * step
        if due < end:
            return due
    return None


def _latest_in_days(schedule: Schedule, zone: Zone, until: datetime) -> datetime | None:
    step = timedelta(minutes=schedule.every_minutes)
    # Tomorrow may have begun already: clocks that go back over midnight show the old date once more.
    tomorrow = until.astimezone(zone).date() + _DAY
    for start, end in _matching_days(schedule, zone, tomorrow, -_DAY):
        if start < end and start <= until:
            last = min(until, end - timedelta(microseconds=1))
            return start + (last - start) // step * step
    return None


def _matching_days(
    schedule: Schedule, zone: Zone, first: date, direction: timedelta
) -> Iterator[tuple[datetime, datetime]]:
    """First moment of each matching local day and of the next; equal where a zone left the day out."""
    for number in range(_INTERVAL_DAYS):
        day = first + number * direction
        if WEEKDAYS[day.weekday()] in schedule.days:
            yield _midnight(day, zone), _midnight(day + _DAY, zone)


def _midnight(day: date, zone: Zone) -> datetime:
    return _instant(datetime.combine(day, time()), zone)
