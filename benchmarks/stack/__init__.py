"""What the composed stack does in a time: see `__main__`."""
