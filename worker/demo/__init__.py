"""One school morning, end to end: what is published, how it is driven, what must come of it, the report."""
