"""A language model of characters: an LSTM that reads Python's own help pages, and then goes on by itself.

    python examples/char_lstm.py                       about a minute on two cores
    python examples/char_lstm.py --sample 500          only writes: 500 characters from the weights of the last run

The text is `pydoc_data.topics`, the pages that `help("LAMBDA")` shows, which ship with Python. The training step (several LSTM layers over a stretch
of text, loss, backward, clipping, Adam) is one native program: `torch.compile`. The state of the LSTM is carried from stretch to stretch.
Prints samples and the perplexity (how many characters the model wavers between, on average) of text that it has not seen, before and after. Writes
the weights to `char_lstm.safetensors` and a plot to `char_lstm.png`, in examples/output or the folder given by `--output`.
"""

import argparse
import math
from pathlib import Path
from pydoc_data.topics import topics

import matplotlib
from tqdm import tqdm

import tracejit.torch as torch
from tracejit.torch import nn
from tracejit.torch.models import LSTMLanguageModel, load_weights
from tracejit.torch.serialization import save_safetensors

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # after the choice of a backend that needs no display

PROMPT = "The "


def pages(length):
    """The first `length` characters of the help pages, and the characters that occur in any of them: the same for every length."""
    text = "\n".join(topics[name] for name in sorted(topics)).encode("ascii", "ignore").decode()
    return text[:length], sorted(set(text))


def encoded(text, alphabet):
    """Each character as its place in the alphabet."""
    place = {c: i for i, c in enumerate(alphabet)}
    return torch.tensor([place[c] for c in text])


def stretches(tokens, batch, length):
    """Pairs (tokens, tokens one further on) of shape (length, batch): the columns are parts of the text, read from top to bottom."""
    rows = (len(tokens) - 1) // batch
    read = tokens[: rows * batch].reshape(batch, rows).t().contiguous()
    following = tokens[1 : rows * batch + 1].reshape(batch, rows).t().contiguous()
    return [(read[i : i + length], following[i : i + length]) for i in range(0, rows - length + 1, length)]


def compiled_step(model, optimizer):
    """A function of tokens, the tokens after them and the state of the LSTM that trains on them: the loss and the state afterwards."""
    loss_function = nn.CrossEntropyLoss()

    @torch.compile
    def step(tokens, following, hidden, cell):
        optimizer.zero_grad()
        logits, (hidden, cell) = model(tokens, (hidden, cell))
        loss = loss_function(logits.flatten(0, 1), following.flatten())
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        return loss.detach(), hidden.detach(), cell.detach()

    return step


@torch.no_grad()
def perplexity(model, parts, batch):
    """exp of the mean loss over stretches of text."""
    model.eval()

    @torch.compile
    def evaluate(tokens, following, hidden, cell):
        logits, (hidden, cell) = model(tokens, (hidden, cell))
        return nn.functional.cross_entropy(logits.flatten(0, 1), following.flatten()), hidden, cell

    hidden, cell = model.init_hidden(batch)
    total = 0.0
    for tokens, following in parts:
        loss, hidden, cell = evaluate(tokens, following, hidden, cell)
        total += loss.item()
    return math.exp(total / len(parts))


def sample(model, alphabet, length, seed=0):
    """Text that the model writes after the prompt."""
    model.eval()
    generator = torch.Generator().manual_seed(seed)
    drawn = model.generate(encoded(PROMPT, alphabet), length, temperature=0.7, generator=generator)
    return PROMPT + "".join(alphabet[i] for i in drawn.tolist())


def show(title, text):
    print(f"--- {title} " + "-" * (70 - len(title)))
    print(text, end="\n\n")


def plot(losses, before, after, path):
    fig, ax = plt.subplots(figsize=(6, 3.5), layout="constrained")
    ax.plot(range(1, len(losses) + 1), [math.exp(loss) for loss in losses], color="tab:blue", linewidth=1, label="training, each step")
    ax.plot([0, len(losses)], [before, after], "o", color="tab:red", label="unseen text, before and after")
    ax.set(xlabel="step", ylabel="perplexity", yscale="log", title="LSTM on Python's help pages")
    ax.set_yticks([2, 5, 10, 20, 50, 100], labels=["2", "5", "10", "20", "50", "100"])
    ax.minorticks_off()
    ax.grid(alpha=0.3)
    ax.legend()
    fig.savefig(path, dpi=150)
    plt.close(fig)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--characters", type=int, default=300_000, help="how much of the text to use")
    parser.add_argument("--width", type=int, default=128, help="entries of the state of a layer")
    parser.add_argument("--layers", type=int, default=1)
    parser.add_argument("--batch", type=int, default=32, help="how many parts of the text are read side by side")
    parser.add_argument("--length", type=int, default=64, help="characters that a step goes back through")
    parser.add_argument("--lr", type=float, default=6e-3)
    parser.add_argument("--sample", type=int, metavar="N", help="train nothing: write N characters with the saved weights of the same sizes")
    parser.add_argument("--output", type=Path, default=Path(__file__).parent / "output")
    options = parser.parse_args(argv)
    options.output.mkdir(parents=True, exist_ok=True)
    weights = options.output / "char_lstm.safetensors"

    torch.manual_seed(0)
    text, alphabet = pages(options.characters)
    model = LSTMLanguageModel(len(alphabet), 64, options.width, options.layers)
    if options.sample is not None:
        show(f"{options.sample} characters", sample(load_weights(model, weights), alphabet, options.sample))
        return None
    tokens = encoded(text, alphabet)
    cut = len(tokens) * 9 // 10
    training, unseen = stretches(tokens[:cut], options.batch, options.length), stretches(tokens[cut:], options.batch, options.length)
    if not training or not unseen:
        raise SystemExit(f"{len(tokens)} characters are too few for stretches of {options.length} in {options.batch} columns")
    print(f"{len(tokens)} characters, {len(alphabet)} different ones, {sum(p.numel() for p in model.parameters())} parameters")
    before = perplexity(model, unseen, options.batch)
    print(f"perplexity of unseen text before training: {before:.1f}")
    show("before training", sample(model, alphabet, 100))

    optimizer = torch.optim.Adam(model.parameters(), lr=options.lr)
    scheduler = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, options.epochs * len(training))
    step = compiled_step(model, optimizer)
    losses = []
    with tqdm(total=options.epochs * len(training), unit="step") as progress:
        for epoch in range(options.epochs):
            model.train()
            hidden, cell = model.init_hidden(options.batch)
            for read, following in training:
                loss, hidden, cell = step(read, following, hidden, cell)
                scheduler.step()
                losses.append(loss.item())
                progress.set_postfix(epoch=epoch + 1, perplexity=f"{math.exp(losses[-1]):.2f}")
                progress.update()
    after = perplexity(model, unseen, options.batch)
    show("after training", sample(model, alphabet, 400))
    save_safetensors(model.state_dict(), weights)
    plot(losses, before, after, options.output / "char_lstm.png")
    print(f"plot and weights in {options.output}")
    print(f"perplexity of unseen text: {before:.1f} before, {after:.2f} after training")
    return before, after


if __name__ == "__main__":
    main()
