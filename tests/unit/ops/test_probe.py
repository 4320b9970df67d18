"""Asking a server how it is without hanging on it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from itertools import count

import pytest

from worker.errors import UnavailableError
from worker.ops.probe import Probe


@pytest.fixture
def thaw() -> Iterator[threading.Event]:
    """What a frozen server waits for."""
    event = threading.Event()
    yield event
    event.set()


def frozen(thaw: threading.Event, asked: list[int]) -> Callable[[], str]:
    def ask() -> str:
        asked.append(1)
        thaw.wait()
        return "thawed"

    return ask


def test_an_answer_is_kept_for_as_long_as_told() -> None:
    numbers = count()
    kept = Probe(lambda: next(numbers), keep=60, patience=10)
    assert [kept.answer().value, kept.answer().value] == [0, 0]


def test_an_answer_that_is_not_kept_is_asked_for_again() -> None:
    numbers = count()
    fresh = Probe(lambda: next(numbers), keep=0, patience=10)
    assert [fresh.answer().value, fresh.answer().value] == [0, 1]


def test_a_server_that_is_gone_is_a_problem_told_in_its_own_words() -> None:
    def ask() -> None:
        raise UnavailableError("nobody listens")

    assert Probe(ask, keep=0, patience=10).answer().problem == "nobody listens"


def test_an_error_of_the_program_is_a_problem_whose_text_stays_in_the_log() -> None:
    def ask() -> None:
        raise ValueError("Ada Byron")

    problem = Probe(ask, keep=0, patience=10).answer().problem
    assert problem == "an error of the program; look in the log"


def test_a_frozen_server_is_asked_once_and_waited_for_no_longer_than_the_patience(
    thaw: threading.Event,
) -> None:
    asked: list[int] = []
    probe = Probe(frozen(thaw, asked), keep=60, patience=0.05)
    problems = [probe.answer().problem for _ in range(3)]
    assert problems == ["no answer within 0.05 s"] * 3
    assert len(asked) == 1


def test_a_server_that_thaws_is_believed(thaw: threading.Event) -> None:
    asked: list[int] = []
    probe = Probe(frozen(thaw, asked), keep=60, patience=10)
    probe.begin()
    thaw.set()
    assert probe.answer().value == "thawed"
    assert len(asked) == 1


def test_many_who_ask_at_once_share_one_question(thaw: threading.Event) -> None:
    asked: list[int] = []
    probe = Probe(frozen(thaw, asked), keep=60, patience=10)
    answers: list[str | None] = []
    threads = [threading.Thread(target=lambda: answers.append(probe.answer().value)) for _ in range(8)]
    for thread in threads:
        thread.start()
    thaw.set()
    for thread in threads:
        thread.join()
    assert answers == ["thawed"] * 8
    assert len(asked) == 1


def test_an_earlier_answer_will_do_while_the_next_is_long_in_coming(thaw: threading.Event) -> None:
    answers: list[Callable[[], str]] = [lambda: "first", frozen(thaw, [])]
    probe = Probe(lambda: answers.pop(0)(), keep=0, patience=30, good=60)
    assert [probe.answer().value, probe.answer().value] == ["first", "first"]
    assert not answers
    thaw.set()


def test_an_answer_that_took_long_is_given_again_for_longer(thaw: threading.Event) -> None:
    numbers = count()

    def slow() -> int:
        thaw.wait(0.4)
        return next(numbers)

    rested = Probe(slow, keep=0, patience=30, rest=100, good=60)
    assert [rested.answer().value for _ in range(3)] == [0, 0, 0]


def test_an_earlier_answer_will_not_do_where_the_next_is_a_problem() -> None:
    def gone() -> str:
        raise UnavailableError("nobody listens")

    answers: list[Callable[[], str]] = [lambda: "first", gone]
    probe = Probe(lambda: answers.pop(0)(), keep=0, patience=30, good=60)
    assert [probe.answer().value, probe.answer().problem] == ["first", "nobody listens"]
