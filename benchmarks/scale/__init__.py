"""`make bench-scale`: twenty million rows through the steps of production, here and on S3."""
