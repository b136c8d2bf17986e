"""How good is a candidate? Measured on rows that neither trained it nor drew its threshold."""
