"""The imperative front end: tensors that remember how they were made, `backward()`, with torch's names and rules.

Change `import torch` into `import tracejit.torch as torch`. Everything is computed by the operations of tracejit and differentiated by their rules.

>>> import tracejit.torch as torch
>>> x = torch.tensor([9.0], requires_grad=True)
>>> f = x ** 2
>>> f
tensor([81.], grad_fn=<PowBackward0>)
>>> f.backward()
>>> x.grad
tensor([18.])
"""

from __future__ import annotations

import importlib as _importlib
import math as _math

from .. import numpy as _numpy  # noqa: F401  (fills the tables of what NumPy's functions do on proxies)
from . import autograd, linalg, random  # noqa: F401
from . import functions as _functions  # noqa: F401
from .absent import explained as _explained
from .devices import device  # noqa: F401
from .dispatch import FUNCTIONS as _FUNCTIONS
from .dtypes import NAMES as _NAMES
from .dtypes import dtype, finfo, get_default_dtype, iinfo, set_default_dtype  # noqa: F401
from .functions import keywords as _keywords
from .functions import signals as _signals  # noqa: F401
from .functions.creation import legacy_constructor as _legacy_constructor
from .modes import enable_grad, inference_mode, is_grad_enabled, is_inference_mode_enabled, no_grad, set_grad_enabled  # noqa: F401
from .printing import set_printoptions  # noqa: F401
from .random import Generator, default_generator, get_rng_state, initial_seed, manual_seed, seed, set_rng_state  # noqa: F401
from .sizes import Size  # noqa: F401
from .switches import *  # noqa: F403
from .tensor import Tensor  # noqa: F401

_keywords.enter()
globals().update(_FUNCTIONS)
globals().update(_NAMES)
pi, e, inf, nan, newaxis = _math.pi, _math.e, _math.inf, _math.nan, None
strided, contiguous_format, preserve_format, channels_last = (
    "torch.strided",
    "torch.contiguous_format",
    "torch.preserve_format",
    "torch.channels_last",
)

__version__ = "2.13.0"  # the torch whose semantics these are; tracejit.__version__ is that of the library

_SUBMODULES = (
    "nn", "optim", "utils", "models", "fft", "special", "func", "cuda", "testing", "serialization", "accelerator", "amp", "backends", "jit",
    "distributions",
)  # fmt: skip
_LEGACY = {f"{d.legacy}Tensor": d for d in _NAMES.values()}
_OF_MODULES = (  # what torch has in its namespace beside `nn.functional`
    "adaptive_avg_pool1d", "adaptive_max_pool1d", "alpha_dropout", "avg_pool1d", "batch_norm", "bilinear", "binary_cross_entropy_with_logits",
    "celu", "celu_", "channel_shuffle", "conv1d", "conv2d", "conv3d", "conv_transpose1d", "conv_transpose2d", "conv_transpose3d",
    "cosine_embedding_loss", "cosine_similarity", "ctc_loss", "dropout", "embedding", "embedding_bag", "feature_alpha_dropout", "group_norm",
    "hardshrink", "hinge_embedding_loss", "instance_norm", "kl_div", "layer_norm", "margin_ranking_loss", "max_pool1d", "max_pool1d_with_indices",
    "max_pool2d", "max_pool3d", "pairwise_distance", "pdist", "pixel_shuffle", "pixel_unshuffle", "poisson_nll_loss", "prelu", "rms_norm", "rrelu",
    "rrelu_", "selu", "selu_", "threshold", "threshold_", "triplet_margin_loss",
)  # fmt: skip


def __getattr__(name: str):
    """Parts that are imported when they are first used."""
    if name in ("save", "load"):
        return getattr(_importlib.import_module(".serialization", __name__), name)
    if name == "compile":
        return _importlib.import_module(".compiling", __name__).compile
    if name == "vmap":
        return _importlib.import_module(".func", __name__).vmap
    if name in _LEGACY:
        return _legacy_constructor(name, _LEGACY[name])
    if name in ("igamma", "igammac", "mvlgamma", "polygamma"):
        special = _importlib.import_module(".special", __name__)
        return getattr(special, {"igamma": "gammainc", "igammac": "gammaincc", "mvlgamma": "multigammaln"}.get(name, name))
    if name == "autocast":
        return _importlib.import_module(".amp", __name__).autocast
    if name in _OF_MODULES:
        return getattr(_importlib.import_module(".nn.functional", __name__), name)
    if name in _SUBMODULES:
        try:
            return _importlib.import_module("." + name, __name__)
        except ModuleNotFoundError as error:
            if error.name != f"{__name__}.{name}":
                raise
    raise _explained(f"module {__name__!r}", name, globals())
