"""An export as people see it: how it stands, its runs, its revisions, what it would send."""
