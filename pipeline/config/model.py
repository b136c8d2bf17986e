"""Section `model`: one family and its settings. A new family is a class and an entry in `Model`."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from pipeline.config.family import Fitted, TrainedModel, Windowed
from pipeline.config.section import kind_unless_named


class DenoisingModel(TrainedModel):
    """Ensemble of small denoising autoencoders (`pipeline/detector/models/denoising.py`).

    The defaults were chosen on La Haute Borne, ADBench and SMD together; more width and more steps
    lower the training error and raise the false alarms of later months. Rows without time do
    better without `swap`, by half a point of ROC-AUC and one of average precision.
    """

    family: Literal["denoising"] = "denoising"
    members: int = Field(
        8, ge=1, le=64, description="Networks, trained as one batched computation."
    )
    steps: int = Field(300, ge=1, le=1_000_000, description="Upper bound; early stopping ends it.")
    width: int = Field(64, ge=1, le=4096, description="Units in each of the two hidden layers.")
    noise: tuple[float, float] = Field(
        (0.05, 1.0), description="Range of the Gaussian noise, in standard deviations; log-uniform."
    )
    swap: float = Field(
        0.3,
        ge=0,
        le=0.5,
        description="Mean share of a row's features that are swapped for another row's while "
        "training; teaches which features belong together.",
    )


class VariationalModel(TrainedModel):
    """Variational autoencoders (`pipeline/detector/models/variational.py`)."""

    family: Literal["variational"] = "variational"
    learning_rate: float = Field(5e-3, gt=0, le=1, description="Peak; warm-up, then cosine to 0.")
    width: int = Field(64, ge=1, le=4096, description="Units in the layers around the code.")
    code: int = Field(
        32, ge=1, le=4096, description="Code units; those that the rows do not need fall silent."
    )
    beta: float = Field(
        0.02,
        ge=0,
        description="Weight of the divergence from the prior. Above about 1 the code falls silent: "
        "the collapse is reported.",
    )
    annealing: float = Field(
        0.3,
        ge=0,
        le=1,
        description="Share of the steps over which the weight rises from 0 to beta; 0: at once.",
    )


class SparseModel(TrainedModel):
    """Autoencoders with few active code units (`pipeline/detector/models/sparse.py`)."""

    family: Literal["sparse"] = "sparse"
    learning_rate: float = Field(5e-3, gt=0, le=1, description="Peak; warm-up, then cosine to 0.")
    width: int = Field(64, ge=1, le=4096, description="Units in the layers around the code.")
    code: int = Field(
        64, ge=2, le=4096, description="Code units, each between 0 and 1; may outnumber inputs."
    )
    activity: float = Field(
        0.05, gt=0, lt=0.5, description="Target: mean activity of each code unit over normal rows."
    )
    sparsity: float = Field(
        3.0, gt=0, description="Weight of the mean divergence of the units from that activity."
    )


class DenseModel(TrainedModel):
    """Bottleneck autoencoders (`pipeline/detector/models/dense.py`).

    Defaults from eight ADBench sets.
    """

    family: Literal["dense"] = "dense"
    learning_rate: float = Field(5e-3, gt=0, le=1, description="Peak; warm-up, then cosine to 0.")
    hidden: tuple[Annotated[int, Field(ge=1, le=4096)], ...] = Field(
        (64, 32), description="Units in each layer before the code; mirrored behind it."
    )
    code: int | None = Field(
        None,
        ge=1,
        description="Units in the bottleneck, fewer than inputs. Absent: half of the inputs, "
        "rounded down, and no more than the narrowest hidden layer.",
    )


class ContractiveModel(TrainedModel):
    """Autoencoders that resist small changes (`pipeline/detector/models/contractive.py`)."""

    family: Literal["contractive"] = "contractive"
    learning_rate: float = Field(
        1e-2, gt=0, le=1, description="Peak; the tied weights bear a higher one than deep networks."
    )
    code: int = Field(64, ge=1, le=4096, description="Units in the one hidden layer.")
    activation: Literal["sigmoid", "tanh"] = Field(
        "sigmoid", description="Of the hidden layer; both have a Jacobian in closed form."
    )
    contraction: float = Field(
        0.1, ge=0, description="Weight of the squared Frobenius norm of the encoder's Jacobian."
    )


class MaskedModel(TrainedModel):
    """Autoencoders that guess hidden features from the others (`detector/models/masked.py`).

    The only family that also accepts rows with missing values: see `validation.missing_cells`.
    """

    takes_missing: ClassVar[bool] = True

    family: Literal["masked"] = "masked"
    width: int = Field(64, ge=1, le=4096, description="Units in each of the two hidden layers.")
    hidden: tuple[float, float] = Field(
        (0.05, 0.6),
        description="Range of the share of its features that is hidden from a row while training; "
        "each row gets its own.",
    )
    visible: float = Field(
        0.3,
        ge=0,
        le=1,
        description="Weight of what is not hidden in the training loss, where a hidden feature "
        "weighs 1. Measured: 1 gains up to 2 points of ROC-AUC where rows are odd as a whole "
        "(ADBench), 0 gains 2 where one sensor contradicts the others.",
    )
    passes: int = Field(
        4,
        ge=2,
        le=64,
        description="Looks at a row when it is scored: each feature is hidden in one of them, and "
        "judged by that one. More looks hide fewer features at once and cost as much more.",
    )

    @model_validator(mode="after")
    def _shares_must_rise(self) -> Self:
        low, high = self.hidden
        if not 0 <= low <= high <= 1 or high == 0:
            msg = f"hidden is {list(self.hidden)}; write [lowest, highest] between 0 and 1"
            raise ValueError(msg)
        return self


class ConvolutionalModel(Windowed):
    """Convolutions along a window (`pipeline/detector/models/convolutional.py`)."""

    family: Literal["convolutional"] = "convolutional"
    width: int = Field(32, ge=1, le=4096, description="Channels in each hidden layer.")


class RecurrentModel(Windowed):
    """A GRU that encodes a window and decodes it (`pipeline/detector/models/recurrent.py`)."""

    family: Literal["recurrent"] = "recurrent"
    width: int = Field(
        32, ge=1, le=4096, description="Numbers that a whole window passes through: the bottleneck."
    )


class TransformerModel(Windowed):
    """Rows of a window that look at each other (`pipeline/detector/models/transformer.py`)."""

    family: Literal["transformer"] = "transformer"
    width: int = Field(32, ge=1, le=4096, description="Numbers that represent a row.")
    heads: int = Field(4, ge=1, le=64, description="Ways of looking at other rows; divides width.")

    @model_validator(mode="after")
    def _heads_share_the_width(self) -> Self:
        if self.width % self.heads:
            msg = (
                f"a width of {self.width} cannot be shared by {self.heads} heads; "
                f"set width to a multiple of {self.heads}, or heads to a divisor of {self.width}"
            )
            raise ValueError(msg)
        return self


class IsolationForestModel(Fitted):
    """Random trees in which odd rows are isolated early, for comparison.

    `pipeline/detector/models/isolation_forest.py` has the rule. The section `score` does not apply:
    the score is the forest's own, between 0 and 1.
    """

    family: Literal["isolation_forest"] = "isolation_forest"
    loss: Literal["mse"] = Field("mse", description="Unused: a forest reconstructs nothing.")
    trees: int = Field(100, ge=1, le=2000, description="More make the score smoother and slower.")
    samples: int = Field(
        256,
        ge=2,
        le=65_536,
        description="Rows that each tree is grown on; its depth is log2 of it.",
    )


class LinearModel(Fitted):
    """Soft principal components, in closed form (`pipeline/detector/models/linear.py`)."""

    family: Literal["linear"] = "linear"
    loss: Literal["mse"] = Field("mse", description="Least squares; there is no other closed form.")
    ridge: float = Field(
        0.1,
        gt=0,
        le=10,
        description="Variance, in variances of a feature, below which a direction is noise: what "
        "varies much more is reconstructed, what varies less is left in the residual.",
    )


class NearestNeighboursModel(Fitted):
    """Each row against its nearest training rows, for comparison.

    `pipeline/detector/models/nearest_neighbours.py` has the rule.
    """

    family: Literal["nearest_neighbours"] = "nearest_neighbours"
    loss: Literal["mse"] = Field("mse", description="Nearest means least squared distance.")
    rows: int = Field(
        10_000,
        ge=10,
        le=100_000,
        description="Training rows that are stored, sampled at random when there are more. They "
        "lie in the bundle as they are, and each scored row is compared with all of them.",
    )
    neighbours: int = Field(
        1,
        ge=1,
        le=10,
        description="Nearest rows whose mean is the reconstruction; more than 1 where some of the "
        "training rows may be faulty.",
    )


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
