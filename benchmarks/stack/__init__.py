"""The speed of the composed stack: see `__main__`."""
