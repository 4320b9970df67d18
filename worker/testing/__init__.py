"""What somebody runs who writes a destination in another package: suites for pytest. The program never imports it."""
