"""Section `model`: one family and its settings. A new family is a file and two lines here."""

from typing import Annotated

from pydantic import Field

from pipeline.config.model.denoising import DenoisingModel
from pipeline.config.model.fitted import Fitted, Loss, Trained

Model = Annotated[DenoisingModel, Field()]

__all__ = ["DenoisingModel", "Fitted", "Loss", "Model", "Trained"]
