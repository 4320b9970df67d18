"""The peers that the program races: the whole way from the queue into the database, each as its own manual shows it.

They write the tables of `tables`, which stay as they are whatever the program makes of its own. Each may do less than
the program (no retries, no metrics, definitions read once): whatever it leaves out is to its advantage.
"""
