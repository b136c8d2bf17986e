"""From a source to validated telemetry, and from there to the blocks a detector is fitted on."""
