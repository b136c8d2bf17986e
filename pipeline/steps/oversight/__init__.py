"""What keeps a deployment in order: housekeeping, and the proof that nothing was skipped."""
