"""Tardy write-back: from a tardy on the broker to the right row in the SIS, once."""

__version__ = "0.1.0"
