"""What people look at. Only reads, locks nothing."""
