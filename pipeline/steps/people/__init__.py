"""People's answers: labels, audits, and decisions about channels."""
