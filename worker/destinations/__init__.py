"""Kinds of SIS endpoint, one file each; `registry` lists them."""
