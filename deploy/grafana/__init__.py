"""Grafana's dashboards as code: `python -m deploy.grafana` writes what `dashboards/` holds."""
