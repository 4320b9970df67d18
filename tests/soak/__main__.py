"""`python -m tests.soak`: exits 1 when any guarantee did not hold; Ctrl-C ends it early, with its report."""

from __future__ import annotations

import json
import random
import shutil
import signal
import tempfile
import threading
from pathlib import Path
from types import FrameType

import click
from rich.console import Console

from tests.servers import ServerError, Servers
from tests.soak.mounts import release, small_disk
from tests.soak.plan import Plan, Stage
from tests.soak.report import Report
from tests.soak.soak import soak


@click.command()
@click.option("--minutes", type=click.FloatRange(0.2), default=10.0, show_default=True, help="Of faults.")
@click.option("--seed", type=int, help="Of all chance. [default: another each time]")
@click.option("--workers", type=click.IntRange(1, 20), default=3, show_default=True, help="Processes.")
@click.option("--rate", type=click.FloatRange(1), default=300.0, show_default=True, help="Events a second.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the report there as well.")
@click.pass_context
def main(
    context: click.Context,
    minutes: float,
    seed: int | None,
    workers: int,
    rate: float,
    json_file: Path | None,
) -> None:
    """Random load and random faults on a RabbitMQ and a PostgreSQL of its own, then the account of it.

    Exits 1 when anything was lost, went twice, or any other guarantee did not hold; what is needed to find out why
    is left in a folder then. Ctrl-C ends it early, with its account; a second one at once.
    """
    seed = random.randrange(1_000_000) if seed is None else seed
    plan = Plan(minutes * 60, seed, workers, rate)
    stop = threading.Event()
    _end_in_order_on_ctrl_c(stop)
    folder = Path(tempfile.mkdtemp(prefix="writeback-soak-"))
    folder.chmod(0o755)
    disk = small_disk(folder / "disk")
    report: Report | None = None
    try:
        with Servers() as servers:
            report = _run(plan, servers, folder, disk, stop)
    except ServerError as error:
        raise click.ClickException(str(error)) from error
    finally:
        release(disk)
        if report is not None and report.ok:
            shutil.rmtree(folder, ignore_errors=True)
        else:
            click.echo(f"logs, files and traces are in {folder}", err=True)
    if json_file is not None:
        json_file.write_text(json.dumps(report.as_json(), indent=2) + "\n")
    report.show(Console())
    context.exit(0 if report.ok else 1)


def _run(plan: Plan, servers: Servers, folder: Path, disk: Path | None, stop: threading.Event) -> Report:
    with Console(stderr=True).status("starting RabbitMQ and PostgreSQL") as status:
        servers.begin_rabbitmq(own=True)
        postgres = servers.postgresql(own=True)
        rabbitmq = servers.rabbitmq(own=True)
        stage = Stage(
            rabbitmq=rabbitmq,
            postgres=postgres,
            amqp_url=rabbitmq.create_vhost("soak"),
            database_url=postgres.create_database(),
            janitor=servers.janitor,
            folder=folder,
            disk=disk,
        )
        return soak(plan, stage, stop, lambda line: status.update(f"seed {plan.seed}: {line}"))


def _end_in_order_on_ctrl_c(stop: threading.Event) -> None:
    def handle(_number: int, _frame: FrameType | None) -> None:
        stop.set()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    signal.signal(signal.SIGINT, handle)


if __name__ == "__main__":
    main(prog_name="python -m tests.soak")
