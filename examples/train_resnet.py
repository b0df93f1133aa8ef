"""Train a ResNet-18 on small colour photographs of handwriting: the shape of CIFAR-10, made from scikit-learn's 1797 digits.

    python examples/train_resnet.py                    about two minutes on two cores
    python examples/train_resnet.py --resume           goes on from the checkpoint of a run that was stopped, bit for bit as it would have gone on

The digits are enlarged to 32 x 32, written in some dark ink on coloured paper, and at each epoch shifted and given noise anew. The whole training
step (forward, loss, backward, momentum) is one native program: `torch.compile`. Writes `resnet_loss.png`, `resnet_digits.png` (test images and how
they were read) and the checkpoint `resnet.pt` to examples/output, or to the folder given by `--output`.
"""

import argparse
from pathlib import Path

import matplotlib
from sklearn.datasets import load_digits
from tqdm import tqdm

import tracejit.torch as torch
from tracejit.torch import nn
from tracejit.torch.models import resnet18
from tracejit.torch.nn import functional as F
from tracejit.torch.utils.data import DataLoader, TensorDataset, random_split

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # after the choice of a backend that needs no display

OPTIONS_OF_A_RUN = ("epochs", "batch", "size", "images", "lr")  # what a checkpoint fixes


def datasets(size, count):
    """Digits as (3, size, size) images between 0 and 1, with their labels: three quarters to train on, one to test."""
    generator = torch.Generator().manual_seed(0)
    digits = load_digits()
    strokes = torch.tensor(digits.images[:count], dtype=torch.float32).unsqueeze(1) / 16
    strokes = F.interpolate(strokes, size=(size, size), mode="bilinear")
    ink, paper = torch.rand(2, len(strokes), 3, 1, 1, generator=generator) * 0.4 + torch.tensor([0.0, 0.6])[:, None, None, None, None]
    everything = TensorDataset(paper + strokes * (ink - paper), torch.tensor(digits.target[:count]))
    return random_split(everything, [0.75, 0.25], generator=generator)


def augmented(images):
    """Each image shifted by up to an eighth of its size, with a little noise. Its edge goes on outside of it."""
    n, _, size, _ = images.shape
    margin = size // 8
    padded = F.pad(images, (margin,) * 4, mode="replicate")
    down, right = torch.randint(0, 2 * margin + 1, (2, n, 1)) + torch.arange(size)
    shifted = padded.permute(0, 2, 3, 1)[torch.arange(n)[:, None, None], down[:, :, None], right[:, None, :]].permute(0, 3, 1, 2)
    return (shifted + 0.05 * torch.randn(shifted.shape)).contiguous()


def network():
    """A ResNet-18 for small images: as usual for CIFAR, its stem is one 3 x 3 convolution that keeps the size."""
    model = resnet18(num_classes=10)
    model.conv1 = nn.Conv2d(3, 64, kernel_size=3, padding=1, bias=False)
    model.maxpool = nn.Identity()
    nn.init.kaiming_normal_(model.conv1.weight, mode="fan_out", nonlinearity="relu")
    return model


class Run:
    """A network in training: what a checkpoint holds."""

    def __init__(self, options, steps_per_epoch):
        self.options = {name: getattr(options, name) for name in OPTIONS_OF_A_RUN}
        self.model = network()
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=options.lr, momentum=0.9, nesterov=True, weight_decay=5e-4)
        self.scheduler = torch.optim.lr_scheduler.OneCycleLR(
            self.optimizer, max_lr=options.lr, total_steps=options.epochs * steps_per_epoch, cycle_momentum=False
        )
        self.losses, self.accuracies = [], []  # of every step, of every epoch
        for p in self.model.parameters():
            p.grad = torch.zeros_like(p)  # present from the start: the first step after a resumption runs the program that all others run

    def save(self, path):
        state = {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict(), "scheduler": self.scheduler.state_dict()}
        state |= {"random": torch.get_rng_state(), "losses": self.losses, "accuracies": self.accuracies, "options": self.options}
        torch.save(state, path)

    def load(self, path):
        state = torch.load(path)
        different = [f"--{name} {value}" for name, value in state["options"].items() if value != self.options[name]]
        if different:
            raise SystemExit(f"{path} is of a run with {', '.join(different)}: give the same options to go on with it")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scheduler.load_state_dict(state["scheduler"])
        self.losses, self.accuracies = state["losses"], state["accuracies"]
        torch.set_rng_state(state["random"])

    def compiled_step(self):
        """A function of images and labels that trains on them, as one program: the loss, and how many were read right."""
        loss_function = nn.CrossEntropyLoss(label_smoothing=0.05)

        @torch.compile
        def step(images, labels):
            self.optimizer.zero_grad()
            logits = self.model(images)
            loss = loss_function(logits, labels)
            loss.backward()
            self.optimizer.step()
            return loss.detach(), (logits.argmax(1) == labels).sum()

        return step

    def train_one_epoch(self, step, loader, progress):
        self.model.train()
        seen = right = 0
        for images, labels in loader:
            loss, correct = step(augmented(images), labels)
            self.scheduler.step()
            self.losses.append(loss.item())
            seen, right = seen + len(labels), right + correct.item()
            progress.set_postfix(loss=f"{self.losses[-1]:.3f}", training=f"{right / seen:.1%}")
            progress.update()


@torch.no_grad()
def readings(model, loader):
    """What the network takes each image of the loader for."""
    model.eval()
    read = torch.compile(lambda images: model(images).argmax(1))
    return torch.cat([read(images) for images, _ in loader])


def plot_losses(run, path):
    fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.5), layout="constrained")
    steps = range(1, len(run.losses) + 1)
    left.plot(steps, run.losses, color="tab:blue", alpha=0.35, linewidth=1)
    mean, smooth = run.losses[0], []
    for loss in run.losses:
        mean = 0.9 * mean + 0.1 * loss
        smooth.append(mean)
    left.plot(steps, smooth, color="tab:blue", label="running mean")
    left.set(xlabel="step", ylabel="cross-entropy", title="Training loss")
    left.legend()
    epochs = range(1, len(run.accuracies) + 1)
    right.plot(epochs, [100 * a for a in run.accuracies], "o-", color="tab:green")
    right.set(xlabel="epoch", ylabel="right [%]", title="Test images", ylim=(0, 102), xticks=epochs)
    for ax in (left, right):
        ax.grid(alpha=0.3)
    fig.savefig(path, dpi=150)
    plt.close(fig)


def plot_images(images, labels, read, path):
    """The images that were misread, and others after them, each titled by what it was taken for."""
    order = [i for wrong in (True, False) for i in range(len(labels)) if (int(read[i]) != int(labels[i])) is wrong][:24]
    fig, axes = plt.subplots(3, 8, figsize=(9, 4), layout="constrained")
    for ax in axes.flat:
        ax.axis("off")
    for ax, i in zip(axes.flat, order):
        right = int(read[i]) == int(labels[i])
        ax.imshow(images[i].permute(1, 2, 0).clamp(0, 1))
        ax.set_title(f"{int(read[i])}" if right else f"{int(read[i])}, is {int(labels[i])}", fontsize=10, color="black" if right else "tab:red")
    fig.suptitle("Test images, and what they are taken for (red: wrongly)")
    fig.savefig(path, dpi=120)
    plt.close(fig)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=3)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--size", type=int, default=32, help="width and height of the images")
    parser.add_argument("--images", type=int, default=1797, help="how many of the digits to use")
    parser.add_argument("--lr", type=float, default=0.02, help="the largest learning rate")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint in the output folder")
    parser.add_argument("--stop-after", type=int, metavar="N", help="stop when N epochs are done, to be resumed another time")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    options = parser.parse_args(argv)
    options.output.mkdir(parents=True, exist_ok=True)
    checkpoint = options.output / "resnet.pt"

    torch.manual_seed(0)
    train, test = datasets(options.size, options.images)
    loader = DataLoader(train, batch_size=options.batch, shuffle=True, drop_last=True)
    test_loader = DataLoader(test, batch_size=150)
    run = Run(options, len(loader))
    if options.resume:
        run.load(checkpoint)
    step = run.compiled_step()
    until = min(options.epochs, options.stop_after or options.epochs)
    labels = torch.stack([label for _, label in test])
    with tqdm(total=until * len(loader), initial=len(run.losses), unit="step") as progress:
        while len(run.accuracies) < until:
            run.train_one_epoch(step, loader, progress)
            read = readings(run.model, test_loader)
            run.accuracies.append((read == labels).double().mean().item())
            run.save(checkpoint)
            progress.write(f"epoch {len(run.accuracies)}: test accuracy {run.accuracies[-1]:.2%}")
    plot_losses(run, options.output / "resnet_loss.png")
    plot_images(torch.stack([image for image, _ in test]), labels, readings(run.model, test_loader), options.output / "resnet_digits.png")
    print(f"plots and checkpoint in {options.output}")
    print(f"test accuracy {run.accuracies[-1]:.2%}")
    return run


if __name__ == "__main__":
    main()
