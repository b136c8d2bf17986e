"""Thresholds: one module a method; `methods` knows them by name.

This file imports none: who reads a bundle needs an estimate, and no scipy.
"""
