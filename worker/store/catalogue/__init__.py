"""Definitions and reference data as they are in force now."""
