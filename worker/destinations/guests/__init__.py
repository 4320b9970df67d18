"""Kinds of other packages, held to their ports: whatever their code does, their own exports bear it alone."""
