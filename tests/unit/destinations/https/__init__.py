"""The kind `https`, against a real server on this machine."""
