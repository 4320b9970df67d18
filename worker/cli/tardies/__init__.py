"""`writeback trace` and `tardies`: one tardy, wherever it is."""
