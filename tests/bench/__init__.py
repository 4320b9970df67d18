"""How fast it is: `python -m tests.bench` races the consumer against a plain program at the same work.

`race` is the race, `plain` the opponent (ours is `writeback run consumer` itself); `flushing` and `latency`
measure the rest. Everything runs on the servers of `tests.servers`, PostgreSQL with fsync.
"""
