"""What the recalibrate DAG does: the line of the live version drawn anew."""
