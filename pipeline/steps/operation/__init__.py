"""What the score DAG does with a day: scores, incidents, notices, drift, and what follows."""
