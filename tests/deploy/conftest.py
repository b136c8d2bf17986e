from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from deploy.embedded.layout import create_folders, find_layout
from deploy.embedded.ports import Ports
from deploy.embedded.stack import Stack, new_secrets

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """A stack that was never started, with its folders."""
    layout = find_layout({"PLIMSOLL_HOME": str(tmp_path / "home with spaces")})
    create_folders(layout)
    return Stack(layout, Ports(airflow=18080, mlflow=15000, postgres=15433), new_secrets())
