"""Models with torchvision's parameter names; their weights load from local files."""

from .language import LSTMLanguageModel
from .resnet import BasicBlock, Bottleneck, ResNet, resnet18, resnet34, resnet50
from .vit import VisionTransformer, vit_b_16, vit_small
from .weights import load_weights

__all__ = [
    "BasicBlock", "Bottleneck", "LSTMLanguageModel", "ResNet", "VisionTransformer", "load_weights", "resnet18", "resnet34", "resnet50", "vit_b_16",
    "vit_small",
]  # fmt: skip
