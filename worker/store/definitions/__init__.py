"""Export definitions: saved as revisions, paused, resumed, retired."""
