"""The kind `https`: files, or records as JSON, to an address of anybody's."""
