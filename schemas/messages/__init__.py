"""The messages: envelope, tardies, reference data, commands, outcomes."""
