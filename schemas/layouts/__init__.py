"""Layouts: what an SIS or another receiver is known to want, as the parts of a definition to start from."""
