"""What people say: labels, audits, and decisions about channels."""
