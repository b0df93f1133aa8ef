"""The gradient of a perceptron

One neuron, looked at closely: what `backward` does, why it does it only once, what rounding to 32 bits looks like, and how the derivative of a loss
follows from that of the neuron.

Run me with `python examples/tutorials/perceptron.py [folder for plots]`.
"""

# %%
# ## One derivative
#
# Nine squared. The printed tensor mentions the function that made it, because `x` asked for it with `requires_grad=True`.

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import tracejit.torch as torch
from tracejit.torch import nn

output = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "output"
output.mkdir(parents=True, exist_ok=True)

x = torch.tensor([9.0], requires_grad=True)
f = x**2
print(f)

# %%
# `backward` returns nothing. What it found is left where it belongs, in `x.grad`, and is 2x.

print(f.backward())
print(x.grad)

# %%
# ## Why a second `backward` is refused
#
# To go back through a square one has to know what was squared. These saved values are freed as soon as they have been used, since in training
# nobody needs them twice and they are most of the memory. The error says so, and what to do: `retain_graph=True` keeps them.

try:
    f.backward()
except RuntimeError as error:
    print(error)

# %%
# A sum needs nothing saved, so going back through one twice is fine. What is refused is the use of values that are gone, not the second call.

x = torch.tensor([9.0], requires_grad=True)
total = (x + 1).sum()
total.backward()
total.backward()
print(x.grad)

# %%
# ## Two variables
#
# The length of the vector (3, 2). Its partial derivatives are 3/√13 and 2/√13.

p, q = torch.tensor([3.0], requires_grad=True), torch.tensor([2.0], requires_grad=True)
torch.sqrt(p**2 + q**2).backward()
print(p.grad, q.grad)
print(3 / 13**0.5, 2 / 13**0.5)

# %%
# ## A neuron
#
# A perceptron weighs its inputs, adds, and squashes the sum between 0 and 1 by the sigmoid σ(z) = 1/(1 + exp(-z)). The slope of the sigmoid is σ(1
# - σ), so the derivative of the output o by the weights is o(1 - o) times the inputs.

torch.set_printoptions(precision=8)
weights = torch.tensor([1.0, 1.0, 1.0], requires_grad=True)
inputs = torch.tensor([1.0, 2.0, 3.0])
o = torch.sigmoid(inputs @ weights)
o.backward()
print(weights.grad)
with torch.no_grad():
    print(o * (1 - o) * inputs)

# %%
# ## How exact is that?
#
# A calculator with more digits gives 0.00246651. The fifth digit differs: these are 32-bit numbers, which hold about seven digits, and where `1 -
# o` subtracts two numbers that are nearly equal, almost three of the seven are lost. In 64 bits nothing is visibly lost.

print(weights.dtype, torch.finfo(weights.dtype).eps)
exact = torch.ones(3, dtype=torch.float64, requires_grad=True)
torch.sigmoid(inputs.double() @ exact).backward()
print(exact.grad)

# %%
# ## As a module, with a sigmoid of our own
#
# A function that is put together from differentiable ones is differentiable, there is nothing to register. Its gradient is the same up to rounding;
# here it is the more exact one of the two, since on its way nothing is subtracted from 1. The weights are a plain tensor, and therefore no
# parameter: an optimizer given `net.parameters()` would find nothing.


class Perceptron(nn.Module):
    def __init__(self, squash):
        super().__init__()
        self.squash = squash
        self.weights = torch.tensor([1.0, 1.0, 1.0], requires_grad=True)

    def forward(self, x):
        self.o = self.squash(x @ self.weights)
        return self.o


own, ready_made = Perceptron(lambda z: 1 / (1 + torch.exp(-z))), Perceptron(torch.sigmoid)
for net in (own, ready_made):
    print(net(inputs))
    print(net.weights.grad)
    net.o.backward()
    print(net.weights.grad, list(net.parameters()))

# %%
# ## From the neuron to the loss
#
# Suppose the answer should have been d = 0.9. The loss is half the squared error, ½(o - d)², and by the chain rule its gradient is (o - d) times
# that of the neuron. First by hand, then by `backward`.

d = 0.9
o = ready_made.o
print((o - d) * o * (1 - o) * inputs)

net = Perceptron(torch.sigmoid)
prediction = net(inputs)
loss = 0.5 * (prediction - d) ** 2
print(loss)
loss.backward()
print(net.weights.grad)

# %%
# ## The slope is the trouble
#
# The factor σ(1 - σ) is at most ¼ and vanishes where the neuron is sure of itself. At z = 6, where ours is, it is a hundred times smaller than at
# 0: a neuron that is firmly wrong learns slowly. The derivative of the whole curve comes from one `backward` of a sum, since no point depends on
# another.

z = torch.linspace(-8, 8, 161, requires_grad=True)
curve = torch.sigmoid(z)
curve.sum().backward()

fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
ax.plot(z.detach(), curve.detach(), color="tab:blue", label="σ(z)")
ax.plot(z.detach(), z.grad, color="tab:red", label="its slope, from backward")
ax.plot(6, o.detach(), "o", color="tab:blue")
ax.plot(6, (o * (1 - o)).detach(), "o", color="tab:red")
ax.annotate("our neuron", (6, 0.5), ha="center", va="center")
ax.set(xlabel="z", title="The sigmoid and its derivative")
ax.grid(alpha=0.3)
ax.legend(loc="upper left")
fig.savefig(output / "tutorial_perceptron.png", dpi=110)
torch.set_printoptions(profile="default")
