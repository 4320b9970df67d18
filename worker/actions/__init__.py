"""What a person or another service can ask for. An act takes the database, who, why and now and opens its transaction
(`acting.Act`); a command takes it into its own. It prints nothing, changes nothing where it raises RefusedError, and
returns what it did as a frozen value (`views.done`).
"""
