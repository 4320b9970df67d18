"""Servers over HTTP: which may be reached, how a request is made, and what is known afterwards of one that failed."""
