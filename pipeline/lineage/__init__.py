"""OpenLineage: what was made of what, by which run, told to whoever keeps a lineage graph.

A step that makes something is decorated with `job`, and tells START and then COMPLETE or FAIL. A
step on the way to it is decorated with `stage` and tells only its failure, as that of the job.
Which tables were read and written, at which version and with how many rows, `pipeline.tables`
notes by itself.

Events go to bounded files in the state folder (`files`) unless OpenLineage's own variables name
another transport. Whatever becomes of them, the task neither fails nor waits longer than a moment.
"""

from pipeline.lineage.jobs import job, stage
from pipeline.lineage.journal import note_model, note_read, note_written

__all__ = ["job", "note_model", "note_read", "note_written", "stage"]
