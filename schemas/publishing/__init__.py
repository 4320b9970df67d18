"""What makes the published files."""
