"""Rows as arrays: the layout of features, windows, scaling, ranges, and marks of missing values."""
