"""What a person or another service can ask for. An act takes the connection of its transaction, who, why and now; it
prints nothing, changes nothing where it raises RefusedError, and returns what it did as a frozen value.
"""
