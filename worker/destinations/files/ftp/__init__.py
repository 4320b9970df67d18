"""A destination reached by FTP, always over TLS."""
