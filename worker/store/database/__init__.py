"""The database itself: engine, tables, types, statements, sorted errors, migrations."""
