"""`writeback held`: entries that wait for a person."""
