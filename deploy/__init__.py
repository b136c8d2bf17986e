"""Deployment of Plimsoll: the embedded stack of one machine, and the files of the full one."""
