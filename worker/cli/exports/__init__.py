"""`writeback exports`: definitions, and what is asked of them."""
