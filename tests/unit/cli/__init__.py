"""The command line, run in the process of the tests."""
