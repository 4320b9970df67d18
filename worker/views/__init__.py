"""What people are shown, as values, and the one JSON of each thing."""
