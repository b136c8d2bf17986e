"""What stays is not forgotten: intervals, thresholds and versions under faults that last."""
