"""OpenLineage: events about which run made which data from which, for a lineage graph.

A step that makes something is decorated with `job` and sends START and then COMPLETE or FAIL. A
step on the way to it is decorated with `stage` and sends only its failure, as that of the job.
Which tables were read and written, at which version and with how many rows, `pipeline.tables.engine`
notes automatically.

Events go to bounded files in the state folder (`files`) unless OpenLineage's own variables name
another transport. Even if they cannot be sent, the task does not fail and waits a second at most.
"""

from pipeline.lineage.jobs import job, stage
from pipeline.lineage.journal import note_model, note_read, note_written

__all__ = ["job", "note_model", "note_read", "note_written", "stage"]
