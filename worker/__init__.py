"""Tardy write-back: from a tardy on the broker to the right row in the SIS, once."""

import schemas.fields.zones  # noqa: F401 -- whose zone data is the whole process's, before anything asks for a zone

__version__ = "0.1.0"
