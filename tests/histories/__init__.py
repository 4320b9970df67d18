"""A state machine that drives the whole program through random histories, beside a plain model of what it owes.

`record` is what was published and saved; `expected` judges it with nothing but dates and text; `post` is a
broker that delivers at least once; `sis` is a school's system that fails; `installation` is the program;
`invariants` are the claims; `machine` makes histories.
"""
