"""Downhill by hand

Gradients of means and of vectors, why they add up, how to compute without a record, and a gradient descent of fifteen steps without any optimizer.

Run me with `python examples/tutorials/descent.py [folder for plots]`.
"""

# %%
# ## A mean of squares
#
# Four ones, two is added to each, the results are squared and multiplied by three, and the mean is taken.

import sys
import warnings
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import tracejit.torch as torch

output = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "output"
output.mkdir(parents=True, exist_ok=True)

x = torch.ones(2, 2, requires_grad=True)
y = x + 2
z = y * y * 3
mean = z.mean()
print(x, y, z, mean, sep="\n")

# %%
# The mean is ¼ Σ 3(x + 2)², so its derivative by each entry is ¼ · 6(x + 2), which is 4.5 at x = 1.

mean.backward()
print(x.grad)

# %%
# Only leaves keep a gradient: the tensors that you made, not what was computed from them. Asking `z` for one gives `None`, and a warning.
# `z.retain_grad()` before `backward` would have kept it.

with warnings.catch_warnings(record=True) as said:
    warnings.simplefilter("always")
    print(z.grad)
print(str(said[0].message).partition(". ")[0])

# %%
# ## When the result is not one number
#
# Then there is a whole matrix of derivatives, the Jacobian, and `backward` wants a vector v to multiply it with: it computes vᵀJ and never the
# matrix itself. A vector of ones adds up the rows. Here every entry of z depends on one entry of x, by 6(x + 2) = 18.

x.grad = None
z = (x + 2).pow(2) * 3
z.backward(torch.ones_like(x), retain_graph=True)
print(x.grad)

# %%
# ## Gradients add up
#
# A second pass does not replace the first, it is added to it. That is what one wants for a parameter that is used in several places, or for a batch
# that is computed in parts, and what one forgets between two steps of training.

z.backward(torch.ones(2, 2), retain_graph=True)
print(x.grad)

# %%
# With the old gradient cleared in between, the numbers are those of one pass.

x.grad.zero_()
z.backward(torch.ones(2, 2))
print(x.grad)

# %%
# ## Without a record
#
# The record costs time and memory. Whoever only wants values switches it off, for some lines by `no_grad`, or takes a tensor out of it by `detach`,
# which shares the memory but has no history.

print((x * x).requires_grad)
with torch.no_grad():
    print((x * x).requires_grad)
print((x * x).detach().requires_grad)

# %%
# ## Fifteen steps
#
# The bowl f(x) = (x₀ - 3)² + (x₁ + 2)² has its lowest point at (3, -2). We start at the origin and go a tenth of the gradient downhill, again and
# again. The update itself must not be recorded, or the history would grow from step to step: hence `no_grad`.

goal = torch.tensor([3, -2])
point = torch.zeros(2, requires_grad=True)
rate = 0.1
path = [point.detach().clone()]
for step in range(15):
    distance = (point - goal).pow(2).sum()
    distance.backward()
    with torch.no_grad():
        point -= rate * point.grad
    point.grad.zero_()
    path.append(point.detach().clone())
    print(f"step {step:2}: x0 = {point[0]:.6f}, x1 = {point[1]:.6f}")

# %%
# Each step leaves 0.8 of the way that was left: 1 - 2 · 0.1. After fifteen that is 0.8¹⁵, about a thirtieth.

print((point.detach() - goal).norm() / goal.float().norm(), 0.8**15)

# %%
# ## A bowl that is longer than wide
#
# A round bowl is the easy case. In one that is ten times as steep across as along, the rate has to be small enough for the steep direction and is
# then too small for the other one. Momentum helps. This is what the optimizers in `torch.optim` are for.


def valley(p):
    return 0.5 * (p[0] ** 2 + 10 * p[1] ** 2)


def walk(make, steps=25):
    p = torch.tensor([-4.0, 1.5], requires_grad=True)
    optimizer = make([p])
    track = [p.tolist()]
    for _ in range(steps):
        optimizer.zero_grad()
        valley(p).backward()
        optimizer.step()
        track.append(p.tolist())
    return track


tracks = {
    "plain": walk(lambda p: torch.optim.SGD(p, lr=0.17)),
    "momentum": walk(lambda p: torch.optim.SGD(p, lr=0.06, momentum=0.7)),
    "Adam": walk(lambda p: torch.optim.Adam(p, lr=0.4)),
}
for name, track in tracks.items():
    print(f"{name:9} ends at ({track[-1][0]:7.4f}, {track[-1][1]:7.4f})")

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(9, 3.6), layout="constrained")
u, v = torch.meshgrid(torch.linspace(-1, 5, 60), torch.linspace(-4, 1, 60), indexing="ij")
left.contour(u, v, (u - 3) ** 2 + (v + 2) ** 2, levels=12, colors="lightgray")
steps = torch.stack(path)
left.plot(steps[:, 0], steps[:, 1], "o-", color="tab:blue", markersize=4)
left.set(title="A round bowl, by hand", xlabel="x0", ylabel="x1", aspect="equal")
u, v = torch.meshgrid(torch.linspace(-4.6, 2.5, 80), torch.linspace(-2, 2, 80), indexing="ij")
right.contour(u, v, valley(torch.stack([u, v])), levels=12, colors="lightgray")
for name, track in tracks.items():
    right.plot(*zip(*track), "o-", markersize=3, linewidth=1, label=name)
right.set(title="A valley, by three optimizers", xlabel="x0", ylabel="x1")
right.legend(loc="lower left")
fig.savefig(output / "tutorial_descent.png", dpi=110)
