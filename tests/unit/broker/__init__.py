"""The parts of the brokers that need no server."""
