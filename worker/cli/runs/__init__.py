"""`writeback runs`: what was sent, and what a person does about it."""
