"""One function per task: small JSON in, small JSON out. The only place that joins storage and core.

Airflow's tasks and the command line call the same functions, so whatever a DAG does can be done
and debugged without Airflow.
"""
