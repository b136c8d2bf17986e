"""Model families, by the name that `model.family` gives. A new one is a file and a line here."""

from pipeline.detector.models.denoising import DENOISING
from pipeline.detector.models.family import Family, Shape

MODELS: dict[str, Family] = {"denoising": DENOISING}

__all__ = ["MODELS", "Family", "Shape"]
