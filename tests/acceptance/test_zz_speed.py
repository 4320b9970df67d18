import time, threading


def test_speed(client, writeback, amqp_url, home):
    from tests.builders import tardy, save, definition
    from tests.acceptance.amqp import publish_with_c_client

    t = time.monotonic()
    w = writeback.start_ready()
    print("start", time.monotonic() - t)
    w2 = writeback.start_ready()
    client.bind_outcomes()
    c = client.command(
        save(definition(schedule={"frequency": "continuous", "linger_seconds": 0.2, "time_zone": "UTC"}))
    )
    from tests.processes import wait_for

    print(wait_for(lambda: client.replies(c), "reply"))
    t = time.monotonic()
    ms = [tardy(f"t-{i}") for i in range(3000)]
    client.publish(ms)
    print("pika", time.monotonic() - t)
    t = time.monotonic()
    p = publish_with_c_client(amqp_url, [tardy(f"u-{i}") for i in range(3000)])
    p.wait()
    print("C", time.monotonic() - t)
    wait_for(
        lambda: sum(len(f.read_text().splitlines()) for f in (home / "outbox").glob("*.csv")) == 6000, "rows"
    )
    print("all", time.monotonic() - t)
    print(
        w.metric("writeback_events_total"),
        w2.metric("writeback_events_total"),
        w.cpu_seconds(),
        w.peak_memory(),
    )
    print(w.stop(), w2.stop())
    print(w.log.read_text()[-800:])
