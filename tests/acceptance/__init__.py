"""The whole program from outside: started as a person starts it, judged by what it leaves behind."""
