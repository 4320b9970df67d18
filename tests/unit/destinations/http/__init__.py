"""Servers over HTTP, each a real one on this machine."""
