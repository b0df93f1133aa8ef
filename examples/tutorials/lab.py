"""A laboratory for gradients

A sine wave, the record behind it, a network with a thousand inputs in training, and the switches that turn recording off. On the way there are
questions to think about before reading on; the line after each answers it by an experiment.

Run me with `python examples/tutorials/lab.py [folder for plots]`.
"""

# %%
# ## A wave
#
# Twenty-five places between 0 and 2π, by which we want derivatives, and the sine of each.

import math
import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import tracejit.torch as torch

output = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "output"
output.mkdir(parents=True, exist_ok=True)

a = torch.linspace(0.0, 2.0 * math.pi, steps=25, requires_grad=True)
print(a)
b = torch.sin(a)
print(b)

# %%
# The numbers are printed in scientific notation since the largest is more than a thousand times the smallest: sin π is not zero in 32 bits, because
# π is not π.
#
# **What if `a` had not required gradients?** Then nothing would be recorded, and there would be nothing to go back through.

untracked = torch.sin(torch.linspace(0.0, 2.0 * math.pi, steps=25))
print(untracked.grad_fn)
try:
    untracked.sum().backward()
except RuntimeError as error:
    print(error)

# %%
# ## The record
#
# Two more operations, and a sum, since `backward` starts from one number.

c = 2 * b
d = c + 1
out = d.sum()
print(out)

# %%
# Each tensor points to the function that made it, and each function to those that made its operands. From `d` one gets back to `a`, whose place is
# taken by an `AccumulateGrad`: what arrives there is added to `a.grad`. The `None` beside it stands for the number 1, by which nobody asked for
# derivatives.

node = d.grad_fn
while node is not None:
    print(node.name(), [(n and n.name(), i) for n, i in node.next_functions])
    node = node.next_functions[0][0] if node.next_functions else None
print(a.grad_fn)

# %%
# **In which range will the gradients lie?** out = Σ (2 sin a + 1), so they are 2 cos a, between -2 and 2.

out.backward()
print(a.grad)
print(a.grad.min(), a.grad.max(), torch.allclose(a.grad, 2 * torch.cos(a)))

# %%
# Plotting wants arrays, and an array has no history. That it is dropped must be said: `detach` says it, and without it there is an error.

try:
    plt.plot(a, b)
except RuntimeError as error:
    print(error)
plt.close("all")

fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
ax.plot(a.detach(), d.detach(), "o-", markersize=3, label="2 sin a + 1")
ax.plot(a.detach(), a.grad, "o-", markersize=3, label="its gradient, 2 cos a")
ax.set(xlabel="a")
ax.grid(alpha=0.3)
ax.legend()
fig.savefig(output / "tutorial_lab_wave.png", dpi=110)

# %%
# ## A tensor times itself
#
# The dot product of (0, 1, 2, 3, 4) with itself is the sum of the squares. **Which line is its gradient?** 2x, exactly: twice a small integer is
# not rounded.

x = torch.arange(5.0, requires_grad=True)
y = torch.dot(x, x)
y.backward()
print(y, x.grad, x.grad == 2 * x, sep="\n")

# %%
# `x` was used twice there, and both uses lead back to it. A tensor has no `zero_grad`, that is a method of modules and optimizers; its gradient is
# a tensor like any other.

print(y.grad_fn.next_functions[0][0] is y.grad_fn.next_functions[1][0], hasattr(x, "zero_grad"))
x.grad.zero_()
print(x.grad)

# %%
# ## In training
#
# A thousand numbers in, one hidden layer of a hundred, ten numbers out, and sixteen examples of noise to learn.



def network():
    layers = torch.nn.Linear(1000, 100), torch.nn.ReLU(), torch.nn.Linear(100, 10)
    return torch.nn.Sequential(*layers)


torch.manual_seed(0)
model = network()
inputs, targets = torch.randn(16, 1000), torch.randn(16, 10)
optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
last = model[2]


def look(title):
    weight, gradient = last.weight[0, :3].tolist(), last.weight.grad
    slope = "none" if gradient is None else " ".join(f"{g:8.4f}" for g in gradient[0, :3].tolist())
    print(f"{title:16}weights", " ".join(f"{w:8.4f}" for w in weight), "   gradients", slope)


look("at first")
loss = (targets - model(inputs)).pow(2).sum()
print(loss)

# %%
# **Does `backward` change a weight?** No, it only fills in the gradients, which were `None`. `step` changes the weights.

loss.backward()
look("after backward")
optimizer.step()
look("after step")

# %%
# **And if nobody clears the gradients?** Five more passes without a step are all added up.

for _ in range(5):
    (targets - model(inputs)).pow(2).sum().backward()
look("five more")
optimizer.zero_grad()
look("cleared")

# %%
# A record of how the loss falls: once with gradients cleared, as it should be, and once with the call forgotten, when each step goes on in the
# directions of all the steps before.


def losses(clear, steps=40):
    torch.manual_seed(1)
    model = network()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.001)
    found = []
    for _ in range(steps):
        if clear:
            optimizer.zero_grad()
        loss = (targets - model(inputs)).pow(2).sum()
        loss.backward()
        optimizer.step()
        found.append(loss.item())
    return found


cleared, forgotten = losses(True), losses(False)
print(f"after 40 steps: {cleared[-1]:.2e} cleared, {forgotten[-1]:.2e} forgotten")
fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
ax.semilogy(cleared, label="cleared")
ax.semilogy(forgotten, label="forgotten")
ax.set(xlabel="step", ylabel="squared error", title="zero_grad, and no zero_grad")
ax.grid(alpha=0.3)
ax.legend()
fig.savefig(output / "tutorial_lab_training.png", dpi=110)

# %%
# ## Switches
#
# For a leaf there is the flag itself.

a = torch.ones(2, 3, requires_grad=True)
print(2 * a)
a.requires_grad = False
print(2 * a)

# %%
# For a few lines there is `no_grad`. **Which of these sums can be differentiated?** Those that were made with the record on.

a = torch.ones(2, 3, requires_grad=True) * 2
b = torch.ones(2, 3, requires_grad=True) * 3
first = a + b
with torch.no_grad():
    second = a + b
third = a * b
for name, t in (("first", first), ("second", second), ("third", third)):
    print(name, t.requires_grad, t.grad_fn and t.grad_fn.name())

# %%
# For a function there is the same as a decorator, and `enable_grad` is the opposite of both.


@torch.no_grad()
def silently(x, y):
    return x + y


print(silently(a, b).requires_grad)
with torch.no_grad(), torch.enable_grad():
    print((a + b).requires_grad)

# %%
# For one tensor there is `detach`. It shares the memory of the original, and a version counter too: should a value that a gradient needs be
# overwritten through the copy, `backward` notices and says where, and no wrong number comes out.

torch.manual_seed(0)
x = torch.rand(5, requires_grad=True)
print(x, x.detach(), sep="\n")
y = torch.exp(x)
y.detach()[0] = 0.0
try:
    y.sum().backward()
except RuntimeError as error:
    print(str(error).partition(" Hint")[0])
