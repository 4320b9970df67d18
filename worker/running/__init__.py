"""What every thread of the program runs in, and how one thing's fault is kept from the others."""
