"""What MLflow remembers: one run a candidate, one model version a bundle, aliases for what is live.

The only package that imports MLflow.
"""
