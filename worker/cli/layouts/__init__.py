"""`writeback layouts` and `writeback exports new`: begin a definition with what an SIS is known to want."""
