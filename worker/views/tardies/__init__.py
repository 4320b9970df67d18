"""One tardy, one student, or what waits, as people see it."""
