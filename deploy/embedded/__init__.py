"""The whole stack on one machine without Docker or root: PostgreSQL, MLflow and Airflow.

`python -m deploy.embedded up` starts it under one supervisor, `down` stops it; everything it keeps
lies in one folder (`PLIMSOLL_HOME`, by default `.plimsoll` in the repository).
"""
