"""Messages → entries, then acknowledge."""
