"""Incidents: flags, and channels that moved, as episodes of one entity with a cause. Pure."""

from pipeline.incidents.joining import Incident, joined
from pipeline.incidents.parts import IncidentPart, reach

__all__ = ["Incident", "IncidentPart", "joined", "reach"]
