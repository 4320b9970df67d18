"""Files by SFTP: the options, the server's pinned key, the line to it, and the two ways to put a file there."""
