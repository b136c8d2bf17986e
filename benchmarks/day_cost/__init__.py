"""What one day of a live detector costs after a short history and after a long one."""
