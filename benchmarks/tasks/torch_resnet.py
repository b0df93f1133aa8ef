"""One step of stochastic gradient descent with momentum on ResNet-18 (He et al. 2016): batch 16 of 3 x 32 x 32, float32."""

import numpy as np

from benchmarks.task import Data, Task
from benchmarks.training import Training

BATCH = 16


def make_data() -> Data:
    random = np.random.default_rng(0)
    return {"images": random.random((BATCH, 3, 32, 32), dtype=np.float32), "labels": random.integers(0, 10, BATCH)}


def build(torch):
    """ResNet-18 with ten classes, of the modules of either library."""
    nn = torch.nn

    def conv(inputs, outputs, size, stride):
        return nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)

    class Block(nn.Module):
        def __init__(self, inputs, outputs, stride):
            super().__init__()
            self.main = nn.Sequential(
                conv(inputs, outputs, 3, stride), nn.BatchNorm2d(outputs), nn.ReLU(), conv(outputs, outputs, 3, 1), nn.BatchNorm2d(outputs)
            )
            narrow = stride != 1 or inputs != outputs
            self.beside = nn.Sequential(conv(inputs, outputs, 1, stride), nn.BatchNorm2d(outputs)) if narrow else nn.Identity()

        def forward(self, x):
            return torch.relu(self.main(x) + self.beside(x))

    widths = (64, 64, 128, 256, 512)
    blocks = [
        block
        for before, after in zip(widths, widths[1:])
        for block in (Block(before, after, 1 if after == 64 else 2), Block(after, after, 1))
    ]  # fmt: skip
    return nn.Sequential(
        conv(3, 64, 7, 2), nn.BatchNorm2d(64), nn.ReLU(), nn.MaxPool2d(3, 2, 1), *blocks, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, 10)
    )


def loss(torch, model, images, labels):
    return torch.nn.functional.cross_entropy(model(images), labels)


def optimizer(torch, parameters, **options):
    return torch.optim.SGD(parameters, lr=1e-2, momentum=0.9, **options)


# One loss is compared, after a step: one unit of 600,000 that rounding moves over the kink of its ReLU changes a gradient by 0.07, which grows with
# every step.
TRAINING = Training(build, loss, optimizer, {"fused": True}, compared=1)
tracejit, torch, torch_compile, reference = TRAINING.versions()

TASKS = (Task("torch_resnet", "training step of modules: ResNet-18, SGD with momentum, batch 16 of 3 x 32 x 32, f32", make_data, tolerance=1e-2),)
