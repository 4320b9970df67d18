"""What who operates the program types: run it, migrate, check, look at it, audit."""
