"""A command, whoever gives it: who may, what it asks, what it is answered."""
