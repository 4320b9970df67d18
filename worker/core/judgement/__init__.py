"""What becomes of an entry: does it go out, wait for something, or is there nothing to send?"""
