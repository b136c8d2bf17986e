"""Back up and restore what a deployment cannot recreate: databases, tables, MLflow's artifacts.

A backup is a folder or an `s3://` prefix that needs nothing but this package to be restored::

    manifest.json              written last and signed: without it there is no backup
    databases/<name>.dump      pg_dump's custom format
    stores/lake/...            the Delta tables, each as it was at one version
    stores/mlflow/...          artifacts
    stores/keys/...            of the stack without Docker: the keys that sign
"""
