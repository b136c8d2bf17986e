"""Two real years of La Haute Borne through the steps of the DAGs, and the usual policies beside it.

`make replay`. No scheduler and no server: the steps are the functions that the DAGs call, on tables
and a registry in a folder of their own.
"""
