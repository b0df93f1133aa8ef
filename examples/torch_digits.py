"""Train a small convolutional network on scikit-learn's 1797 handwritten digits, the way it is done in PyTorch: only the import differs.

    python examples/torch_digits.py                    99 % right on the quarter of the images that it has not seen
    python examples/torch_digits.py --resume           goes on from the checkpoint that the last run left

Writes `torch_digits.png` (loss, learning rate, accuracy) and the checkpoint `torch_digits.pt` to examples/output, or to the folder given by
`--output`.
"""

import argparse
from pathlib import Path

import matplotlib
from sklearn.datasets import load_digits
from tqdm import tqdm

import tracejit.torch as torch
from tracejit.torch import nn
from tracejit.torch.utils.data import DataLoader, TensorDataset, random_split

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # after the choice of a backend that needs no display


class Network(nn.Module):
    """Two convolutions and two linear layers: (n, 1, 8, 8) -> (n, 10)."""

    def __init__(self):
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(1, 16, 3, padding=1), nn.BatchNorm2d(16), nn.ReLU(),
            nn.Conv2d(16, 32, 3, padding=1), nn.BatchNorm2d(32), nn.ReLU(), nn.MaxPool2d(2),
        )  # fmt: skip
        self.classifier = nn.Sequential(nn.Flatten(), nn.Linear(32 * 4 * 4, 64), nn.ReLU(), nn.Dropout(0.2), nn.Linear(64, 10))

    def forward(self, images):
        return self.classifier(self.features(images))


def datasets():
    """Images of 8 x 8 pixels in [0, 1] with their labels: three quarters to train on, one to test."""
    digits = load_digits()
    images = torch.tensor(digits.images, dtype=torch.float32).unsqueeze(1) / 16
    everything = TensorDataset(images, torch.tensor(digits.target))
    return random_split(everything, [0.75, 0.25], generator=torch.Generator().manual_seed(0))


def train_one_epoch(model, loader, loss_function, optimizer, scheduler):
    """One pass over the training images; the mean loss."""
    model.train()
    total = 0.0
    for images, labels in loader:
        optimizer.zero_grad()
        loss = loss_function(model(images), labels)
        loss.backward()
        optimizer.step()
        scheduler.step()
        total += loss.item() * len(labels)
    return total / len(loader.dataset)


@torch.no_grad()
def accuracy(model, loader):
    """The part of the images that are read right."""
    model.eval()
    right = sum(int((model(images).argmax(1) == labels).sum()) for images, labels in loader)
    return right / len(loader.dataset)


def plot(history, path):
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    epochs = range(1, len(history) + 1)
    left.plot(epochs, [h["loss"] for h in history], color="tab:blue")
    left.set(xlabel="epoch", ylabel="cross-entropy", title="Training loss", ylim=(0, None))
    right.plot(epochs, [100 * h["accuracy"] for h in history], color="tab:green")
    right.set(xlabel="epoch", ylabel="right [%]", title="Test images")
    rate = right.twinx()
    rate.plot(epochs, [h["lr"] for h in history], color="tab:gray", linestyle=":")
    rate.set_ylabel("learning rate (dotted)")
    for ax in (left, right):
        ax.grid(alpha=0.3)
    fig.savefig(path, dpi=150)
    plt.close(fig)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in the output folder")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    options = parser.parse_args(argv)
    options.output.mkdir(parents=True, exist_ok=True)
    checkpoint = options.output / "torch_digits.pt"

    torch.manual_seed(0)
    train, test = datasets()
    loader = DataLoader(train, batch_size=options.batch, shuffle=True, num_workers=1)
    test_loader = DataLoader(test, batch_size=256)
    model = Network()
    loss_function = nn.CrossEntropyLoss(label_smoothing=0.05)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3, weight_decay=0.01)
    scheduler = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1e-2, epochs=options.epochs, steps_per_epoch=len(loader))
    history = []
    if options.resume:
        saved = torch.load(checkpoint)
        model.load_state_dict(saved["model"])
        optimizer.load_state_dict(saved["optimizer"])
        scheduler.load_state_dict(saved["scheduler"])
        history = saved["history"]

    with tqdm(total=options.epochs, initial=len(history), unit="epoch") as progress:
        while len(history) < options.epochs:
            loss = train_one_epoch(model, loader, loss_function, optimizer, scheduler)
            history.append({"loss": loss, "accuracy": accuracy(model, test_loader), "lr": scheduler.get_last_lr()[0]})
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict(), "scheduler": scheduler.state_dict(), "history": history}
            torch.save(state, checkpoint)
            progress.set_postfix(loss=f"{loss:.4f}", accuracy=f"{history[-1]['accuracy']:.2%}")
            progress.update()
    plot(history, options.output / "torch_digits.png")
    print(f"plot and checkpoint in {options.output}")
    print(f"test accuracy {history[-1]['accuracy']:.2%}")
    return history[-1]["accuracy"]


if __name__ == "__main__":
    main()
