"""The steps of the recalibrate DAG: a new threshold for the weights of the live version."""
