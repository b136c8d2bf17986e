"""Rules of operation: the state of days, what is healthy, what to do next, whom to tell. Pure."""
