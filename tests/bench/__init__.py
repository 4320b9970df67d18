"""How fast it is: `python -m tests.bench` races the consumer against other programs at the same work.

`race` is the race, `peers` the others (ours is `writeback run consumer` itself); `flushing`, `recording`, `latency` and
`idling` measure the rest, `morning` plays a nation's. Everything runs on the servers of `tests.servers`, PostgreSQL
with fsync.
"""
