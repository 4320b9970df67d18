"""Destinations that take files."""
