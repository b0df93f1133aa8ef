"""Vision transformers (Dosovitskiy et al. 2021), with the parameter names and the initialisation of torchvision, so that its weights load."""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any

from .. import nn
from ..functions.creation import full
from ..functions.joining import cat
from ..nn.modules.transformer import dropped
from ..tensor import Tensor
from .weights import with_weights


class MLPBlock(nn.Sequential):
    """Two linear layers with a GELU between them."""

    def __init__(self, width: int, hidden: int, dropout: float):
        super().__init__(nn.Linear(width, hidden), nn.GELU(), nn.Dropout(dropout), nn.Linear(hidden, width), nn.Dropout(dropout))
        for m in self.modules():
            if isinstance(m, nn.Linear):
                nn.init.xavier_uniform_(m.weight)
                nn.init.normal_(m.bias, std=1e-6)


class EncoderBlock(nn.Module):
    """Attention and a perceptron, each after a normalisation and beside a short cut."""

    def __init__(self, num_heads: int, hidden_dim: int, mlp_dim: int, dropout: float, attention_dropout: float):
        super().__init__()
        self.ln_1 = nn.LayerNorm(hidden_dim, eps=1e-6)
        self.self_attention = nn.MultiheadAttention(hidden_dim, num_heads, dropout=attention_dropout, batch_first=True)
        self.dropout = nn.Dropout(dropout)
        self.ln_2 = nn.LayerNorm(hidden_dim, eps=1e-6)
        self.mlp = MLPBlock(hidden_dim, mlp_dim, dropout)

    def forward(self, x: Tensor) -> Tensor:
        y = self.ln_1(x)
        x = x + dropped(self.dropout, self.self_attention(y, y, y, need_weights=False)[0], True)
        return x + self.mlp(self.ln_2(x))


class Encoder(nn.Module):
    """The blocks, on what is at each place plus where it is."""

    def __init__(
        self, seq_length: int, num_layers: int, num_heads: int, hidden_dim: int, mlp_dim: int, dropout: float, attention_dropout: float
    ):
        super().__init__()
        self.pos_embedding = nn.Parameter(full((1, seq_length, hidden_dim), 0.0))
        nn.init.normal_(self.pos_embedding, std=0.02)
        self.dropout = nn.Dropout(dropout)
        blocks = ((f"encoder_layer_{i}", EncoderBlock(num_heads, hidden_dim, mlp_dim, dropout, attention_dropout)) for i in range(num_layers))
        self.layers = nn.Sequential(OrderedDict(blocks))
        self.ln = nn.LayerNorm(hidden_dim, eps=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return self.ln(self.layers(self.dropout(x + self.pos_embedding)))


class VisionTransformer(nn.Module):
    """The patches of an image and one place for the class, through an encoder: (n, 3, image_size, image_size) -> (n, num_classes).

    >>> from tracejit import torch
    >>> model = torch.models.VisionTransformer(8, 4, num_layers=1, num_heads=2, hidden_dim=8, mlp_dim=16, num_classes=5)
    >>> model(torch.zeros(2, 3, 8, 8)).shape
    torch.Size([2, 5])
    """

    def __init__(
        self, image_size: int, patch_size: int, num_layers: int, num_heads: int, hidden_dim: int, mlp_dim: int, dropout: float = 0.0,
        attention_dropout: float = 0.0, num_classes: int = 1000,
    ):  # fmt: skip
        super().__init__()
        if image_size % patch_size:
            raise ValueError(f"Input shape indivisible by patch size: images of {image_size} and patches of {patch_size}")
        self.image_size, self.patch_size, self.hidden_dim = image_size, patch_size, hidden_dim
        self.conv_proj = nn.Conv2d(3, hidden_dim, kernel_size=patch_size, stride=patch_size)
        self.class_token = nn.Parameter(full((1, 1, hidden_dim), 0.0))
        places = (image_size // patch_size) ** 2 + 1
        self.encoder = Encoder(places, num_layers, num_heads, hidden_dim, mlp_dim, dropout, attention_dropout)
        self.heads = nn.Sequential(OrderedDict([("head", nn.Linear(hidden_dim, num_classes))]))
        nn.init.trunc_normal_(self.conv_proj.weight, std=math.sqrt(1 / (3 * patch_size**2)))
        nn.init.zeros_(self.conv_proj.bias)
        nn.init.zeros_(self.heads.head.weight)
        nn.init.zeros_(self.heads.head.bias)

    def load_state_dict(self, state_dict: Mapping[str, Any], strict: bool = True, assign: bool = False) -> Any:
        """As of every module; torchvision's files call the linear layers of a block `linear_1` and `linear_2`, which are taken, too."""
        renamed = {name.replace(".mlp.linear_1.", ".mlp.0.").replace(".mlp.linear_2.", ".mlp.3."): t for name, t in state_dict.items()}
        return super().load_state_dict(renamed, strict=strict, assign=assign)

    def forward(self, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        if (height, width) != (self.image_size, self.image_size):
            raise ValueError(f"Wrong image size: expected {self.image_size} x {self.image_size}, got {height} x {width}")
        patches = self.conv_proj(x).reshape(n, self.hidden_dim, -1).permute(0, 2, 1)
        encoded = self.encoder(cat([self.class_token.expand(n, -1, -1), patches], 1))
        return self.heads(encoded[:, 0])


def vit_b_16(*, weights: Any = None, pretrained: bool = False, progress: bool = True, image_size: int = 224, **options: Any) -> VisionTransformer:
    """ViT-B/16: 86.6 million parameters for images of 224 x 224.

    weights: a path to a local file with its weights (see `load_weights`). Other options are those of `VisionTransformer`.
    Raises `ValueError` for `pretrained=True` without a file, and for torchvision's names of weights.
    """
    model = VisionTransformer(image_size, 16, num_layers=12, num_heads=12, hidden_dim=768, mlp_dim=3072, **options)
    return with_weights(model, weights, pretrained)


def vit_small(
    *, weights: Any = None, pretrained: bool = False, image_size: int = 32, patch_size: int = 4, num_classes: int = 10, **options: Any
) -> VisionTransformer:
    """A transformer for small images, of 1.2 million parameters: 6 layers of width 128 with 4 heads. Arguments and errors as of `vit_b_16`.

    >>> from tracejit import torch
    >>> sum(p.numel() for p in torch.models.vit_small().parameters())
    1205898
    """
    shape = {"num_layers": 6, "num_heads": 4, "hidden_dim": 128, "mlp_dim": 512, **options}
    return with_weights(VisionTransformer(image_size, patch_size, num_classes=num_classes, **shape), weights, pretrained)
