"""The DAG bundle that Airflow reads: one Python file for each detector file.

Airflow parses a file as a whole, in a process of its own. With a file for each detector a mistake
is the import error of that detector only, a change is parsed alone, and a task waits for no DAG but
its own. A file ends with the text of its detector file, so that Airflow parses it again after a
change, and the Code tab of each DAG shows the detector file.
"""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path

from airflow.dag_processing.bundles.base import BaseDagBundle

from pipeline import settings
from pipeline.config import SUFFIX, detector_files
from pipeline.config.detector import NAME
from pipeline.config.file_text import read_text
from pipeline.errors import ConfigError

_FILE = '''"""The Airflow DAGs of one detector file; dags/detector_bundle.py wrote this from it."""

from airflow.sdk import DAG

from dags.of_detector import dags_of_file

DAGS: dict[str, DAG] = dags_of_file({file!r})
globals().update(DAGS)

# {file!r}:
#
{text}
'''


class DetectorBundle(BaseDagBundle):
    """The DAGs of every detector file; an entry of Airflow's `dag_bundle_config_list`.

    Tasks run with the detector file as it is when they begin; older texts are not kept.
    """

    @property
    def path(self) -> Path:
        """The folder of the files."""
        return Path(self.base_dir)

    def initialize(self) -> None:
        """Write the files, as each task's own process does before it runs."""
        self._write_all()
        super().initialize()

    def refresh(self) -> None:
        """Write new and changed files and remove those of deleted detectors."""
        written = self._write_all()
        for path in set(self.path.glob("*.py")) - written:
            path.unlink(missing_ok=True)

    def get_current_version(self) -> None:
        """None: there is only the newest version."""

    def _write_all(self) -> set[Path]:
        with self.lock():
            self.path.mkdir(parents=True, exist_ok=True)
            return {
                _write(source, self.path / f"{_module(source)}.py")
                for source in detector_files(settings.load().detectors)
            }


def _module(source: Path) -> str:
    """A file name for the DAGs of `source`: the detector's name, or one that no detector can have.

    `pump.yml` must not replace `pump.yaml`, and an invalid name may be too long or not be text.
    """
    if source.suffix == SUFFIX and re.fullmatch(NAME, source.stem):
        return source.stem
    return f"no-detector-{hashlib.sha256(os.fsencode(source.name)).hexdigest()[:12]}"


def _write(source: Path, target: Path) -> Path:
    text = dag_file(source)
    # An unchanged file keeps its time, so that Airflow does not parse it again.
    if not target.exists() or target.read_text(encoding="utf-8") != text:
        # Another process may be reading it: it must see either the old text or the new one.
        draft = target.with_suffix(".draft")
        draft.write_text(text, encoding="utf-8")
        draft.replace(target)
    return target


def dag_file(source: Path) -> str:
    """The Python file for one detector file; for an invalid one, running it raises the error."""
    try:
        content = read_text(source)
    except ConfigError as error:
        content = str(error)
    # Python refuses a source with zeros in it, and the import error would be about that.
    content = content.replace("\0", "\ufffd").encode("utf-8", "backslashreplace").decode()
    comment = "\n".join(f"# {line}".rstrip() for line in content.splitlines())
    return _FILE.format(file=source.name, text=comment)
