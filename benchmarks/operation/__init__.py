"""Measurements of operation after the first promotion: one module for each part, one table."""
