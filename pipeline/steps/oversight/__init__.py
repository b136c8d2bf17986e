"""Housekeeping, the state of each day, and checks of the ledger."""
