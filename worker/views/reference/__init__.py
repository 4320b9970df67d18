"""Reference data as people see it: codes, schools, bells and days."""
