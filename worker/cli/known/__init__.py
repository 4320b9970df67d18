"""`writeback codes`, `schools`, `bells` and `days`: the reference data that is known."""
