"""`make demo`: from nothing to a promoted detector of a real wind farm, told as it happens."""
