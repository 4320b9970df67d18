"""A server that is silent takes its share of a flusher's places, and no more."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.builders import definition, save, school, tardy
from tests.integration.delivering import ask
from tests.integration.record_sis import LedgerSis, ledger
from tests.processes import wait_for
from tests.program import SteppedProgram
from worker.destinations.record_port import RowDeed, RowOutcome

SILENT = [f"silent-{number}" for number in range(5)]


def test_exports_of_one_silent_server_keep_no_other_waiting(database_url: str, tmp_path: Path) -> None:
    released = threading.Event()

    class Silent(LedgerSis):
        def send(self, deeds: Sequence[RowDeed]) -> Sequence[RowOutcome]:
            released.wait()
            return super().send(deeds)

    program = SteppedProgram(database_url, tmp_path)
    program.receive(school())
    with ledger(sis=Silent()):
        for number, export_id in enumerate(SILENT):
            to = {"type": "ledger", "base_url": f"https://silent.example/api/{number}"}
            document = definition(export_id, destination=to)
            del document["file"], document["fields"]
            program.command(save(document))
        program.command(save(definition("daily")))
        program.receive(tardy("a"))
        for export_id in (*SILENT, "daily"):
            ask(program, export_id)
        program.forget_barriers()
        flusher = program.parts.flusher

        def states() -> list[str]:
            return sorted(program.runs(export_id)[0]["state"] for export_id in SILENT)

        with ThreadPoolExecutor(8) as pool:
            try:
                flusher.look(pool)
                wait_for(lambda: program.files(), "the file of the export that goes elsewhere")
                assert states() == ["delivering"] * 2 + ["sealed"] * 3
            finally:
                released.set()
            wait_for(
                lambda: flusher.look(pool) and states() == ["delivered"] * 5, "all of them to be delivered"
            )
