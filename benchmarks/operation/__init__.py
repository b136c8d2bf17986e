"""What happens after the first promotion, measured: one module a part, one table for all."""
