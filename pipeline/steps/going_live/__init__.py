"""Changes of the live version: promotion, rollback, and nothing else."""
