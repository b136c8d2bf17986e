"""What a reviewer looks at: figures, the drift report and the promotion card."""
