"""An MLflow registry in memory, as far as a change of champion needs one."""

from __future__ import annotations

from types import SimpleNamespace

from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import RESOURCE_DOES_NOT_EXIST


class Killed(BaseException):
    """The process died here."""


class Page(list):
    """The result of a search that fits on one page."""

    token = None


class FakeRegistry:
    """Versions, aliases and tags of one model, and how its runs ended.

    With `dies_before` = n it dies before its n-th write, and writes nothing after that.
    """

    run = "m1"

    def __init__(self, versions: int = 9) -> None:
        self.aliases: dict[str, int] = {}
        self.tags: dict[int, dict[str, str]] = {n: {} for n in range(1, versions + 1)}
        self.ended: dict[str, str] = {}
        self.writes = 0
        self.dies_before: int | None = None

    def get_model_version(self, model: str, version: str) -> SimpleNamespace:
        number = int(version)
        if number not in self.tags:
            raise MlflowException(f"{model} has no version {version}", RESOURCE_DOES_NOT_EXIST)
        return SimpleNamespace(
            version=str(number),
            run_id=self.run,
            source=f"source-{number}",
            tags=dict(self.tags[number]),
            description=f"card {number}",
        )

    def get_model_version_by_alias(self, model: str, alias: str) -> SimpleNamespace:
        if alias not in self.aliases:
            raise MlflowException(f"{model} has no {alias}", RESOURCE_DOES_NOT_EXIST)
        return self.get_model_version(model, str(self.aliases[alias]))

    def search_model_versions(self, _filter: str, page_token: str | None = None) -> Page:
        assert page_token is None
        return Page(self.get_model_version("", str(number)) for number in self.tags)

    def set_registered_model_alias(self, _model: str, alias: str, version: str) -> None:
        self.write()
        self.aliases[alias] = int(version)

    def delete_registered_model_alias(self, _model: str, alias: str) -> None:
        self.write()
        self.aliases.pop(alias, None)

    def set_model_version_tag(self, _model: str, version: str, key: str, value: str) -> None:
        self.write()
        self.tags[int(version)][key] = value

    def delete_model_version_tag(self, _model: str, version: str, key: str) -> None:
        self.write()
        self.tags[int(version)].pop(key, None)

    def set_tag(self, run_id: str, _key: str, value: str) -> None:
        self.write()
        self.ended[run_id] = value

    def set_terminated(self, run_id: str, _status: str) -> None:
        self.write()
        assert run_id in self.ended

    def said(self, number: int) -> dict[str, str]:
        """The tags of a version, without the head of the ledger, which no one reads."""
        return {key: text for key, text in self.tags[number].items() if key != "ledger.head"}

    def write(self) -> None:
        """Count a write; die before the one that was asked for."""
        self.writes += 1
        if self.writes == self.dies_before:
            raise Killed
