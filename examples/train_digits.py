"""Train a network on scikit-learn's 1797 handwritten digits, with the whole training step compiled: loss, gradients and optimiser in one call.

    python examples/train_digits.py              about 98 % right on the quarter of the images that it has not seen
    python examples/train_digits.py --no-jit     the same program without compiling, for comparison

Writes `loss.png` and `misclassified.png` to examples/output, or to the folder given by `--output`.
"""
import argparse
import time
from pathlib import Path

import matplotlib
import numpy as np
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from tqdm import tqdm

import tracejit as tj
from tracejit import nn, optim

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # after the choice of a backend that needs no display

NOISE = 0.2  # standard deviation of what is added to the pixels, which are in [0, 1]: worth about half a percent of accuracy


def load(seed):
    """Images as rows of 64 floats in [0, 1] and labels: (training images, test images, training labels, test labels)."""
    digits = load_digits()
    images = (digits.data / 16).astype(np.float32)
    return train_test_split(images, digits.target, test_size=0.25, stratify=digits.target, random_state=seed)


def loss_function(params, images, labels):
    return nn.softmax_cross_entropy(nn.mlp(params, images), labels)


def make_step(optimizer):
    def step(params, state, images, labels):
        loss, grads = tj.value_and_grad(loss_function)(params, images, labels)
        params, state = optimizer.update(grads, state, params)
        return loss, params, state
    return step


def train(images, labels, *, epochs, batch, seed, jit):
    """The trained parameters and the loss of every step."""
    rng = np.random.default_rng(seed)
    params = nn.init_mlp(rng, [64, 256, 128, 10], dtype=np.float32)
    batches = len(images) // batch
    optimizer = optim.chain(optim.clip_by_global_norm(5.0),
                            optim.adamw(optim.warmup_cosine(3e-3, warmup_steps=batches, steps=max(epochs, 2) * batches), weight_decay=0.05))
    state = optimizer.init(params)
    step = tj.jit(make_step(optimizer)) if jit else make_step(optimizer)

    losses, seconds = [], []
    with tqdm(total=epochs * batches, unit="step") as progress:
        for _ in range(epochs):
            order = rng.permutation(len(images))
            for i in range(batches):
                chosen = order[i * batch:(i + 1) * batch]
                noisy = images[chosen] + NOISE * rng.standard_normal((batch, 64), dtype=np.float32)
                start = time.perf_counter()
                loss, params, state = step(params, state, noisy, labels[chosen])
                seconds.append(time.perf_counter() - start)
                losses.append(float(loss))
                progress.update()
            progress.set_postfix(loss=f"{np.mean(losses[-batches:]):.4f}")
    print(f"first step {seconds[0] * 1e3:.0f} ms, then {np.median(seconds[1:]) * 1e3:.3f} ms a step")
    return params, losses


def plot_loss(losses, batches, path):
    fig, ax = plt.subplots(figsize=(7, 4), layout="constrained")
    epochs = len(losses) // batches
    ax.semilogy(np.arange(len(losses)) / batches, losses, color="tab:blue", alpha=0.3, linewidth=0.8, label="step")
    ax.semilogy(np.arange(epochs) + 0.5, np.reshape(losses, (epochs, batches)).mean(1), color="tab:blue", label="mean of the epoch")
    ax.set(xlabel="epoch", ylabel="cross-entropy", title="Training loss", xlim=(0, epochs))
    ax.grid(alpha=0.3)
    ax.legend()
    fig.savefig(path, dpi=150)
    plt.close(fig)


def plot_misclassified(images, labels, predictions, path, most=20):
    wrong = np.flatnonzero(predictions != labels)
    shown = wrong[:most]
    columns = 5
    rows = max(1, -(-len(shown) // columns))
    fig, axes = plt.subplots(rows, columns, figsize=(1.5 * columns, 1.8 * rows + 0.5), squeeze=False, layout="constrained")
    for ax in axes.flat:
        ax.axis("off")
    for ax, i in zip(axes.flat, shown):
        ax.imshow(images[i].reshape(8, 8), cmap="gray_r", vmin=0, vmax=1)
        ax.set_title(f"{labels[i]}, read as {predictions[i]}", fontsize=9)
    fig.suptitle(f"{len(wrong)} of {len(labels)} test images misread")
    fig.savefig(path, dpi=150)
    plt.close(fig)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--no-jit", dest="jit", action="store_false", help="run every operation at once with NumPy instead of compiling the step")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    options = parser.parse_args(argv)

    train_images, test_images, train_labels, test_labels = load(options.seed)
    params, losses = train(train_images, train_labels, epochs=options.epochs, batch=options.batch, seed=options.seed, jit=options.jit)
    predictions = nn.mlp(params, test_images).argmax(-1)
    accuracy = np.mean(predictions == test_labels)

    options.output.mkdir(parents=True, exist_ok=True)
    plot_loss(losses, len(train_images) // options.batch, options.output / "loss.png")
    plot_misclassified(test_images, test_labels, predictions, options.output / "misclassified.png")
    print(f"plots in {options.output}")
    print(f"test accuracy {accuracy:.2%}")
    return accuracy


if __name__ == "__main__":
    main()
