"""Wiring: which task follows which, when and with which limits. The work is in `pipeline.steps`."""
