"""Losses as modules."""

from __future__ import annotations

from typing import Any

from ...tensor import Tensor
from .. import functional as F
from .module import Module


class _Loss(Module):
    """A loss of `functional` with its arguments."""

    function: Any

    def __init__(self, reduction: str = "mean", size_average: Any = None, reduce: Any = None, **options: Any):
        super().__init__()
        if size_average is not None or reduce is not None:
            reduction = "none" if reduce is False else "mean" if size_average is not False else "sum"
        self.reduction = reduction
        for name, value in options.items():
            if isinstance(value, Tensor) or name in ("weight", "pos_weight"):
                self.register_buffer(name, value)
            else:
                setattr(self, name, value)
        self._options = tuple(options)

    def forward(self, *inputs: Tensor) -> Tensor:
        return type(self).function(*inputs, **{name: getattr(self, name) for name in self._options}, reduction=self.reduction)


def _loss(name: str, function: Any, doc: str, **defaults: Any) -> type[_Loss]:
    """A loss whose arguments come in torch's order: those in `defaults`, "older" standing for size_average, reduce and reduction."""

    def __init__(self, *args: Any, **kwargs: Any):
        order = [n for key in defaults for n in (("size_average", "reduce", "reduction") if key == "older" else (key,))]
        order += [n for n in ("size_average", "reduce", "reduction") if n not in order]
        if len(args) > len(order):
            raise TypeError(f"{name}() takes at most {len(order)} arguments, got {len(args)}")
        given = dict(zip(order, args))
        for key, value in kwargs.items():
            if key not in order:
                raise TypeError(f"{name}() got an unexpected keyword argument {key!r}")
            if key in given:
                raise TypeError(f"{name}() got multiple values for argument {key!r}")
            given[key] = value
        options = {key: given.pop(key, value) for key, value in defaults.items() if key not in ("older", "size_average", "reduction")}
        _Loss.__init__(self, given.pop("reduction", "mean"), given.pop("size_average", None), given.pop("reduce", None), **options)

    return type(name, (_Loss,), {"__init__": __init__, "__doc__": doc, "function": staticmethod(function), "__module__": __name__})


L1Loss = _loss("L1Loss", F.l1_loss, "`l1_loss`.")
MSELoss = _loss("MSELoss", F.mse_loss, "`mse_loss`.")
SmoothL1Loss = _loss("SmoothL1Loss", F.smooth_l1_loss, "`smooth_l1_loss`.", older=None, beta=1.0)
HuberLoss = _loss("HuberLoss", F.huber_loss, "`huber_loss`.", reduction=None, delta=1.0)
BCELoss = _loss("BCELoss", F.binary_cross_entropy, "`binary_cross_entropy`.", weight=None)
BCEWithLogitsLoss = _loss(
    "BCEWithLogitsLoss", F.binary_cross_entropy_with_logits, "`binary_cross_entropy_with_logits`.", weight=None, older=None, pos_weight=None
)
KLDivLoss = _loss("KLDivLoss", F.kl_div, "`kl_div`.", older=None, log_target=False)
SoftMarginLoss = _loss("SoftMarginLoss", F.soft_margin_loss, "`soft_margin_loss`.")
MultiLabelSoftMarginLoss = _loss("MultiLabelSoftMarginLoss", F.multilabel_soft_margin_loss, "`multilabel_soft_margin_loss`.", weight=None)
HingeEmbeddingLoss = _loss("HingeEmbeddingLoss", F.hinge_embedding_loss, "`hinge_embedding_loss`.", margin=1.0)
CosineEmbeddingLoss = _loss("CosineEmbeddingLoss", F.cosine_embedding_loss, "`cosine_embedding_loss`.", margin=0.0)
MarginRankingLoss = _loss("MarginRankingLoss", F.margin_ranking_loss, "`margin_ranking_loss`.", margin=0.0)
TripletMarginLoss = _loss("TripletMarginLoss", F.triplet_margin_loss, "`triplet_margin_loss`.", margin=1.0, p=2.0, eps=1e-6, swap=False)
GaussianNLLLoss = _loss("GaussianNLLLoss", F.gaussian_nll_loss, "`gaussian_nll_loss`.", full=False, eps=1e-6)
PoissonNLLLoss = _loss(
    "PoissonNLLLoss", F.poisson_nll_loss, "`poisson_nll_loss`.", log_input=True, full=False, size_average=None, eps=1e-8
)


class CrossEntropyLoss(_Loss):
    """`cross_entropy`.

    >>> import tracejit.torch as torch
    >>> torch.nn.CrossEntropyLoss()(torch.zeros(1, 4), torch.tensor([2]))
    tensor(1.3863)
    """

    function = staticmethod(F.cross_entropy)

    def __init__(
        self, weight: Tensor | None = None, size_average: Any = None, ignore_index: int = -100, reduce: Any = None, reduction: str = "mean",
        label_smoothing: float = 0.0,
    ):  # fmt: skip
        super().__init__(reduction, size_average, reduce, weight=weight, ignore_index=ignore_index, label_smoothing=label_smoothing)


class NLLLoss(_Loss):
    """`nll_loss`."""

    function = staticmethod(F.nll_loss)

    def __init__(
        self, weight: Tensor | None = None, size_average: Any = None, ignore_index: int = -100, reduce: Any = None, reduction: str = "mean"
    ):
        super().__init__(reduction, size_average, reduce, weight=weight, ignore_index=ignore_index)


class CosineSimilarity(Module):
    """`cosine_similarity`."""

    def __init__(self, dim: int = 1, eps: float = 1e-8):
        super().__init__()
        self.dim, self.eps = dim, eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)


class PairwiseDistance(Module):
    """`pairwise_distance`."""

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False):
        super().__init__()
        self.norm, self.eps, self.keepdim = p, eps, keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)
