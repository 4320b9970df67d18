"""The whole program in processes of its own, on real servers, looked at from outside."""
