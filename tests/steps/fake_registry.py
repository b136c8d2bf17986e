"""An MLflow registry in memory, as far as a promotion needs one."""

from __future__ import annotations

from types import SimpleNamespace

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST


class FakeRegistry:
    """Aliases and tags of one model, and how its runs ended."""

    def __init__(self) -> None:
        self.aliases: dict[str, int] = {}
        self.tags: dict[int, dict[str, str]] = {}
        self.ended: dict[str, str] = {}

    def get_model_version_by_alias(self, model: str, alias: str) -> SimpleNamespace:
        if alias not in self.aliases:
            raise MlflowException(f"{model} has no {alias}", RESOURCE_DOES_NOT_EXIST)
        number = self.aliases[alias]
        return SimpleNamespace(
            version=str(number), run_id="r", source="", tags=self.tags.get(number), description=""
        )

    def set_registered_model_alias(self, _model: str, alias: str, version: str) -> None:
        self.aliases[alias] = int(version)

    def delete_registered_model_alias(self, _model: str, alias: str) -> None:
        del self.aliases[alias]

    def set_model_version_tag(self, _model: str, version: str, key: str, value: str) -> None:
        self.tags.setdefault(int(version), {})[key] = value

    def set_tag(self, run_id: str, _key: str, value: str) -> None:
        self.ended[run_id] = value

    def set_terminated(self, run_id: str, _status: str) -> None:
        assert run_id in self.ended
