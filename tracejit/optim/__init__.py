"""Gradient descent on trees of arrays: each optimiser is a pair of pure functions, so a whole training step can be jitted.

>>> import numpy as np
>>> opt = adam(1e-3)
>>> params = {"w": np.ones(3)}
>>> state = opt.init(params)
>>> params, state = opt.update({"w": np.ones(3)}, state, params)  # the new parameters, not a difference to add
>>> params["w"].round(6)
array([0.999, 0.999, 0.999])
"""
from .adam import AdamState, adam, adamw
from .clip import clip_by_global_norm, global_norm
from .optimizer import GradientTransform, Optimizer, chain
from .rmsprop import RMSPropState, rmsprop
from .schedules import constant, cosine_decay, exponential_decay, linear_warmup, step_decay, warmup_cosine
from .sgd import SGDState, sgd

__all__ = ["AdamState", "GradientTransform", "Optimizer", "RMSPropState", "SGDState", "adam", "adamw", "chain", "clip_by_global_norm", "constant",
           "cosine_decay", "exponential_decay", "global_norm", "linear_warmup", "rmsprop", "sgd", "step_decay", "warmup_cosine"]
