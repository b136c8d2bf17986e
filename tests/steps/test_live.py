"""The live bundle is the one that the ledger names, whatever lies in the cache and in MLflow."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline import settings
from pipeline.errors import (
    UnprovenBundle,
)
from pipeline.steps import ledger_state, live
from pipeline.steps.health import health_of
from tests.steps.attacked_plant import (
    NOW,
    artifacts,
    forget_cache,
    score,
    swap,
)

pytestmark = [
    pytest.mark.filterwarnings("ignore::sqlalchemy.exc.SADeprecationWarning"),
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
]


@pytest.mark.usefixtures("plant")
def test_a_bundle_swapped_in_the_cache_is_fetched_again():
    honest = live.champion(settings.load(), "pumps").bundle
    swap(honest.folder)

    assert live.champion(settings.load(), "pumps").bundle.threshold == honest.threshold


def test_files_that_are_gone_are_named(plant):
    shutil.rmtree(artifacts(plant)[1])
    forget_cache(plant)

    with pytest.raises(UnprovenBundle, match="bundle of version 2 of pumps is gone from MLflow"):
        score()


def test_a_version_that_was_deleted_is_named_and_nothing_takes_its_place(plant):
    plant.client.delete_model_version("pumps", "2")
    forget_cache(plant)

    with pytest.raises(
        UnprovenBundle, match="Version 2 of pumps is live by the ledger, and MLflow"
    ):
        score()
    assert "MLflow does not have it" in health_of(settings.load(), "pumps", now=NOW).faults[0].what


def test_a_model_that_was_renamed_is_named(plant):
    plant.client.rename_registered_model("pumps", "other")

    with pytest.raises(UnprovenBundle, match="deleted or renamed there"):
        score()


def test_a_run_that_was_deleted_changes_nothing(plant):
    run = live.champion(settings.load(), "pumps").version.run_id
    plant.client.delete_run(run)
    forget_cache(plant)

    assert score()["version"] == 2


@pytest.mark.parametrize("word", ["../../storage/pumps", "{storage}", "d" * 63, "D" * 64])
def test_a_tag_names_no_folder_that_is_removed(plant, word):
    """The digest becomes a folder of the cache, and a damaged folder of the cache is removed."""
    plant.client.set_registered_model_alias("pumps", "challenger", "2")
    digest = word.format(storage=plant.here.storage)
    plant.client.set_model_version_tag("pumps", "1", "bundle_sha256", digest)
    held = ledger_state.verified(plant.here, "pumps")
    version = live.versions.by_number(plant.client, "pumps", 1)

    with pytest.raises(UnprovenBundle, match="64 hexadecimal digits"):
        live.opened(settings.load(), version, replace(held, entries=()))

    assert Path(plant.here.storage, "pumps", "ledger").is_dir()


def test_a_bundle_that_is_swapped_while_it_is_loaded_is_not_served(plant, monkeypatch):
    forget_cache(plant)
    loaded = live.load_bundle
    other = artifacts(plant)[0]
    monkeypatch.setattr(live, "load_bundle", lambda _folder, **how: loaded(other, **how))
    live._loaded.cache_clear()

    with pytest.raises(UnprovenBundle, match="replaced in the cache while it was loaded"):
        live.champion(settings.load(), "pumps")
    live._loaded.cache_clear()
