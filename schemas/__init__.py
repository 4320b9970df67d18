"""What crosses the wire: the message contract, as marshmallow schemas and what is made from them.

Reads no clock, opens no connection and imports nothing of `worker`. A reader starts at `messages.envelope`
(bytes → CloudEvents envelope), goes on to `messages.events` and `messages.commands` (envelope → typed value),
and finds the export definition in `definition.document`. `python -m schemas` writes the files of `published` anew.
"""

import schemas.fields.zones  # noqa: F401 -- whose zone data is the whole process's, before anything asks for a zone
