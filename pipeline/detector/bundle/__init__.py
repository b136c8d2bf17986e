"""The bundle: its files, what they say, and the proof that they belong together."""
