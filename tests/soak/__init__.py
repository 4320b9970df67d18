"""`make soak`: random load and random faults on real servers, seeded, for minutes or hours; then the account of it.

What was published, certainly, is held against the files that the SIS has collected: each row once, each correction
as its definition wants it, whoever died meanwhile.
"""
