"""From scores of held-out rows to a threshold, reference rows and golden rows."""
