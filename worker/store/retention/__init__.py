"""Student data leaves again: the purge, the erase, and what is forgotten after a while."""
