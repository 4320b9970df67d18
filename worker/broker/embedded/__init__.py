"""The broker that needs no server: for the first minute, and for one school."""
