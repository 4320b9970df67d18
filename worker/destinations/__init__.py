"""Where runs go: two ports, for files and for records, and the kinds that serve them, which `kinds` lists."""
