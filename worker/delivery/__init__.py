"""Runs → receipts: what is due becomes runs, and each run is attempted until it is delivered or a person is needed."""
