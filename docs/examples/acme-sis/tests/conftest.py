"""What the tests of a destination need, from the installed program."""

pytest_plugins = ["worker.testing.fixtures"]
