"""Evaluation of a candidate, on rows that were used for neither its training nor its threshold."""
