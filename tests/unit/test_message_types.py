"""Every type of message in the table has its way: an exchange, a queue that takes it, and for a command its handler."""

from __future__ import annotations

import pytest

from schemas.topology import (
    COMMANDS,
    COMMANDS_EXCHANGE,
    COMMANDS_QUEUE,
    EVENTS,
    EVENTS_EXCHANGE,
    EVENTS_QUEUE,
    OUTCOMES,
    OUTCOMES_EXCHANGE,
    QUEUE_NAMES,
    MessageType,
    exchange_for,
    queue_for,
)
from worker.actions.commands.handlers import HANDLERS


@pytest.mark.parametrize(
    ("types", "exchange", "queue"),
    [
        (EVENTS, EVENTS_EXCHANGE, EVENTS_QUEUE),
        (COMMANDS, COMMANDS_EXCHANGE, COMMANDS_QUEUE),
        (OUTCOMES, OUTCOMES_EXCHANGE, None),
    ],
)
def test_every_type_goes_to_its_queue(
    types: tuple[MessageType, ...], exchange: str, queue: str | None
) -> None:
    assert {queue_for(exchange, type.name) for type in types} == {queue}


def test_every_type_is_published_where_it_is_taken() -> None:
    assert {exchange_for(type.name) for type in EVENTS} == {EVENTS_EXCHANGE}
    assert {exchange_for(type.name) for type in COMMANDS} == {COMMANDS_EXCHANGE}
    assert exchange_for("export.unheard_of") == COMMANDS_EXCHANGE, "where it is refused by an outcome"
    assert exchange_for("unheard.of") == EVENTS_EXCHANGE


def test_what_nobody_takes_goes_to_no_queue() -> None:
    assert queue_for(EVENTS_EXCHANGE, "tardy.recorded.twice") is None
    assert queue_for(EVENTS_EXCHANGE, "export.save") is None
    assert queue_for("amq.topic", "tardy.recorded") is None


def test_every_command_has_its_handler() -> None:
    assert HANDLERS.keys() == {type.name for type in COMMANDS}


def test_no_type_and_no_queue_stands_twice() -> None:
    names = [type.name for type in (*EVENTS, *COMMANDS, *OUTCOMES)]
    assert len(set(names)) == len(names)
    assert len(set(QUEUE_NAMES)) == len(QUEUE_NAMES)


def test_no_first_word_is_of_events_and_of_commands() -> None:
    """Either queue would take the other's: both are bound by the first word."""
    families = [{type.name.partition(".")[0] for type in types} for types in (EVENTS, COMMANDS)]
    assert not families[0] & families[1]
