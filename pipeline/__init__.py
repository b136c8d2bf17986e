"""Plimsoll's pipeline: everything that happens to the data, importable without Airflow.

The stages, in the order the data flow::

    source -> ingest -> validate -> window -> split -> train -> calibrate -> evaluate
           -> drift -> gate -> registry

`steps` joins storage, MLflow and the pure core into one function a task; `cli` and `dags/` call
them.
"""
