"""How things are laid out for a terminal, and as JSON."""
