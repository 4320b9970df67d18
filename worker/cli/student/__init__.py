"""`writeback student`: all that is held about one student."""
