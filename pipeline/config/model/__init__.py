"""Section `model`: one family and its settings. A new family is a file and two entries here."""

from typing import Annotated

from pydantic import Field

from pipeline.config.model.contractive import ContractiveModel
from pipeline.config.model.convolutional import ConvolutionalModel
from pipeline.config.model.denoising import DenoisingModel
from pipeline.config.model.dense import DenseModel
from pipeline.config.model.fitted import Fitted, Loss, TrainedModel
from pipeline.config.model.isolation_forest import IsolationForestModel
from pipeline.config.model.linear import LinearModel
from pipeline.config.model.masked import MaskedModel
from pipeline.config.model.nearest_neighbours import NearestNeighboursModel
from pipeline.config.model.recurrent import RecurrentModel
from pipeline.config.model.sparse import SparseModel
from pipeline.config.model.transformer import TransformerModel
from pipeline.config.model.variational import VariationalModel
from pipeline.config.section import kind_unless_named

Model = Annotated[
    DenoisingModel
    | VariationalModel
    | SparseModel
    | DenseModel
    | ContractiveModel
    | MaskedModel
    | ConvolutionalModel
    | RecurrentModel
    | TransformerModel
    | IsolationForestModel
    | LinearModel
    | NearestNeighboursModel,
    Field(discriminator="family"),
    kind_unless_named("family", "denoising"),
]

__all__ = [
    "ContractiveModel",
    "ConvolutionalModel",
    "DenoisingModel",
    "DenseModel",
    "Fitted",
    "IsolationForestModel",
    "LinearModel",
    "Loss",
    "MaskedModel",
    "Model",
    "NearestNeighboursModel",
    "RecurrentModel",
    "SparseModel",
    "TrainedModel",
    "TransformerModel",
    "VariationalModel",
]
