"""The tables of a detector, one file for each: what a row means, and how it is read and written."""
