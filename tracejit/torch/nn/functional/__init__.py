"""`torch.nn.functional`: what the modules compute, as functions of tensors.

>>> import tracejit.torch as torch
>>> torch.nn.functional.linear(torch.ones(1, 2), torch.tensor([[1.0, 2.0]]), torch.tensor([10.0]))
tensor([[13.]])
"""

from ...absent import of_module
from ...functions.indexing import one_hot
from . import activations, attention, bags, ctc, fractional, images, layers, losses, margins, sampling, variants
from .activations import *  # noqa: F403
from .attention import *  # noqa: F403
from .bags import *  # noqa: F403
from .ctc import *  # noqa: F403
from .fractional import *  # noqa: F403
from .images import *  # noqa: F403
from .layers import *  # noqa: F403
from .losses import *  # noqa: F403
from .margins import *  # noqa: F403
from .sampling import *  # noqa: F403
from .variants import *  # noqa: F403

__all__ = ["one_hot"]
__all__ += bags.__all__ + ctc.__all__ + fractional.__all__ + margins.__all__ + sampling.__all__ + variants.__all__
__all__ += activations.__all__ + attention.__all__ + images.__all__ + layers.__all__ + losses.__all__

__getattr__ = of_module(globals())
