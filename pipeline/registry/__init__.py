"""MLflow: one run for each candidate, one model version for each bundle, aliases for what is live.

The only package that imports MLflow.
"""
