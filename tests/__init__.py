"""The tests: against real servers, temporary folders and SQLite; nothing of our own is mocked."""
