"""The detector itself: arrays and frames in, records out. No storage, no MLflow, no clock."""
