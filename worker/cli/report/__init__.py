"""`writeback report`: the day as an administrator signs it off."""
