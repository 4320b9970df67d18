"""The life of a run, in order: requested, sealed, claimed, attempted, settled."""
