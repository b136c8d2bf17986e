"""Model families, by the name that `model.family` gives. A new one is a file and an entry here.

Not in the package `models` itself: `descent`, which families use, imports from there, and would
otherwise import every family before that package is complete.
"""

from pipeline.detector.models.contractive import CONTRACTIVE
from pipeline.detector.models.convolutional import CONVOLUTIONAL
from pipeline.detector.models.denoising import DENOISING
from pipeline.detector.models.dense import DENSE
from pipeline.detector.models.family import Family
from pipeline.detector.models.isolation_forest import ISOLATION_FOREST
from pipeline.detector.models.linear import LINEAR
from pipeline.detector.models.masked import MASKED
from pipeline.detector.models.nearest_neighbours import NEAREST_NEIGHBOURS
from pipeline.detector.models.recurrent import RECURRENT
from pipeline.detector.models.sparse import SPARSE
from pipeline.detector.models.transformer import TRANSFORMER
from pipeline.detector.models.variational import VARIATIONAL

MODELS: dict[str, Family] = {
    "contractive": CONTRACTIVE,
    "convolutional": CONVOLUTIONAL,
    "denoising": DENOISING,
    "dense": DENSE,
    "isolation_forest": ISOLATION_FOREST,
    "linear": LINEAR,
    "masked": MASKED,
    "nearest_neighbours": NEAREST_NEIGHBOURS,
    "recurrent": RECURRENT,
    "sparse": SPARSE,
    "transformer": TRANSFORMER,
    "variational": VARIATIONAL,
}
