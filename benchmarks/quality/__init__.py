"""Detection quality of every family and score, against PyOD's detectors, in one run."""
