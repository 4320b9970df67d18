"""The building blocks of every schema: strict fields that coerce nothing."""
