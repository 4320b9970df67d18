"""`writeback publish` and `rejected`: messages on their way in, and those that were parked."""
