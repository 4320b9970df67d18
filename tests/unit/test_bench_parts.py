"""The bench's own small parts: what is published, who won, what its peers are made of."""

from __future__ import annotations

import io
import json
from collections import Counter

import pytest
from rich.console import Console

from tests.bench.load import a_mix, tardy_id_of, the_definitions
from tests.bench.meters import Spent
from tests.bench.peers.installing import HERE
from tests.bench.race import Drain, Race
from tests.bench.racers import PEERS, Racer, racers
from tests.bench.report import verdict

SPENT = Spent(2.0, 3.0, None)


def test_a_mix_ends_with_a_new_tardy_and_has_corrections_of_early_ones() -> None:
    mix = a_mix(4_000)
    kinds = Counter(json.loads(one.body)["type"] for one in mix.messages)
    fresh = [tardy_id_of(one) for one in mix.messages if b'"tardy.recorded"' in one.body]
    amended = [tardy_id_of(one) for one in mix.messages if b'"tardy.amended"' in one.body]
    assert kinds == {"tardy.recorded": 3_960, "tardy.amended": 40}
    assert mix.invalid == sum(b'"student"' not in one.body for one in mix.messages) == 4
    assert set(amended) <= set(fresh[:400])
    assert len(set(amended)) == 40
    assert b'"tardy.recorded"' in mix.messages[-1].body


def test_so_many_definitions_differ_in_their_ids_alone() -> None:
    documents = the_definitions(3)
    assert [document.pop("export_id") for document in documents] == ["daily", "daily-2", "daily-3"]
    assert documents[0] == documents[1] == documents[2]


def test_what_was_spent_is_told_for_100_000_events() -> None:
    assert Spent(5.0, 7.0, None).since(SPENT).per_100k(50_000) == Spent(6.0, 8.0, None)


def test_everybody_named_races_ours_and_node_in_as_many_processes() -> None:
    chosen = racers(("node", "celery"), 2)
    assert [(racer.name, racer.processes) for racer in chosen] == [
        ("ours", 1),
        ("node", 1),
        ("ours", 2),
        ("node", 2),
        ("celery", 1),
    ]
    assert {racer.name for racer in racers(PEERS, 1)} == {"ours", *PEERS}


def _race_of(*rates: tuple[str, list[int]]) -> tuple[Race, dict[str, Racer]]:
    runners = {name: Racer(name, "", list) for name, _ in rates}
    drains = {runners[name]: [Drain(rate, 1.0, SPENT, 1) for rate in found] for name, found in rates}
    return Race(drains), runners


def test_the_speed_is_the_median_of_the_rounds_in_which_both_raced() -> None:
    race, who = _race_of(("ours", [100, 400, 900]), ("node", [100, 200, 300]), ("plain", [50]))
    assert race.speed(who["ours"], who["node"]) == 2
    assert race.speed(who["ours"], who["plain"]) == 2


@pytest.mark.parametrize(("node", "status"), [(99, 0), (101, 1)])
def test_a_faster_peer_is_a_failure(node: int, status: int) -> None:
    race, _ = _race_of(("ours", [100]), ("node", [node]))
    assert verdict(Console(file=io.StringIO()), race, required=True) == status


def test_without_the_strongest_peer_there_is_no_verdict() -> None:
    race, _ = _race_of(("ours", [100]), ("plain", [50]))
    race.missing[Racer("node", "", list)] = "npm is not installed"
    told = Console(file=io.StringIO(), width=200)
    assert verdict(told, race, required=True) == 1
    assert isinstance(told.file, io.StringIO)
    assert "No verdict: node is not here: npm is not installed" in told.file.getvalue()


def test_the_peers_packages_are_pinned_and_no_registry_is_named() -> None:
    lock = (HERE / "node" / "package-lock.json").read_text()
    assert '"resolved"' not in lock
    assert "registry" not in lock
    lines = (HERE / "requirements.txt").read_text().splitlines()
    assert not [line for line in lines if line.startswith("-") or "://" in line]
    pinned = [line for line in lines if line and not line.startswith(("#", " "))]
    assert all("==" in line for line in pinned)
