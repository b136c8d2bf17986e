"""Where what is live changes: promotion, rollback, and nothing else."""
