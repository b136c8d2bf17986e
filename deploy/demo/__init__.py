"""`make demo`: from nothing to a promoted detector of a real wind farm, step by step."""
