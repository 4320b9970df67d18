"""The kinds of destination that take records: one file each."""
