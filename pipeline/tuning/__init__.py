"""Search for settings of a detector, inside its training rows and without labels."""
