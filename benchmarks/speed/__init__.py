"""`make bench-speed`: fitting and scoring against PyOD and against the machine's own limit."""
