"""A model takes its first step

What a tensor remembers of its making, how `backward` turns that into gradients, and what an optimizer does with them. At the end the same step is
compiled, and taken three hundred times.

Run me with `python examples/tutorials/first_step.py [folder for plots]`.
"""

# %%
# ## A history that is written as you compute
#
# A tensor made with `requires_grad=True` is one that you want derivatives by. Whatever is computed from it carries a `grad_fn`: the function that
# made it, with a link to the functions that made its operands. Nothing has to be declared in advance, the record is a by-product of the arithmetic.

import sys
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import tracejit.torch as torch

output = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "output"
output.mkdir(parents=True, exist_ok=True)

x = torch.arange(0, 5, 1, dtype=torch.float32, requires_grad=True)
print(x)
y = x + 1
print(y)

# %%
# Operations in place are recorded as well. `y` is one array all the time, but its `grad_fn` is that of the last thing that happened to it.

y *= 2
print(y)
y **= 2
print(y)
y /= 2
print(y)

# %%
# Written out, `y` is 2(x + 1)², so its derivative is 4(x + 1). `backward` walks the record from its end to its beginning and gets the same numbers.

y.sum().backward()
print(x.grad)
print(4 * (x.detach() + 1))

# %%
# ## A model, and data to be wrong about
#
# Two linear layers with a ReLU between them, seven numbers in, two out. `Linear` makes its weights as parameters, tensors that require gradients,
# and the module finds them by itself. The seed makes all random numbers here those of PyTorch with the same seed.

torch.manual_seed(0)


class TinyModel(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layer1 = torch.nn.Linear(7, 4)
        self.relu = torch.nn.ReLU()
        self.layer2 = torch.nn.Linear(4, 2)

    def forward(self, x):
        return self.layer2(self.relu(self.layer1(x)))


inputs, targets = torch.randn(2, 7), torch.randn(2, 2)
model = TinyModel()
print(model)
print({name: tuple(p.shape) for name, p in model.named_parameters()})

# %%
# The loss is the mean distance between what the model says and what it should say. It is a single number with a history that goes through both
# layers back to every weight.

loss_function = torch.nn.L1Loss()
optimizer = torch.optim.Adam(model.parameters())
prediction = model(inputs)
loss = loss_function(prediction, targets)
print(prediction)
print(loss)

# %%
# So far, nobody has asked for gradients, and there are none.

print(model.layer1.weight)
print(model.layer1.weight.grad)

# %%
# ## Backward, then step
#
# After `backward` each parameter has one in `.grad`. The first row is zero: the ReLU of the first hidden unit is off for both examples, so nothing
# that its weights could do would change the loss.

loss.backward()
print(model.layer1.weight.grad)

# %%
# `step` changes the parameters. Adam's very first step moves each of them by the learning rate, 0.001, against the sign of its gradient, however
# large the gradient is. The weights of the unit that is off stay where they are.

before = model.layer1.weight.detach().clone()
optimizer.step()
print(model.layer1.weight.detach() - before)

# %%
# Gradients are added to what is there, so they are cleared before the next round.

optimizer.zero_grad()
print(model.layer1.weight.grad.abs().max())

# %%
# ## Three hundred steps, compiled
#
# A training step is always the same sequence of operations, and Python need not be asked about it again each time. `torch.compile` turns the whole
# function, with the backward pass and Adam's update, into one native program, which changes parameters and the optimizer's state where they are.
# Here two copies of the model learn, one by each way. Their losses agree.


def training_step(model, optimizer):
    def step(inputs, targets):
        optimizer.zero_grad()
        loss = loss_function(model(inputs), targets)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return step


losses = {}
for name, prepare in (("eager", lambda step: step), ("compiled", torch.compile)):
    torch.manual_seed(0)
    model = TinyModel()
    step = prepare(training_step(model, torch.optim.Adam(model.parameters(), lr=0.01)))
    losses[name] = [step(inputs, targets).item() for _ in range(300)]
    print(f"{name:9} first {losses[name][0]:.4f}   last {losses[name][-1]:.4f}")

# %%
fig, ax = plt.subplots(figsize=(6, 3.2), layout="constrained")
ax.plot(losses["eager"], color="tab:blue", linewidth=4, alpha=0.4, label="eager")
ax.plot(losses["compiled"], color="tab:red", linewidth=1, label="compiled")
ax.set(xlabel="step", ylabel="mean distance", title="Learning two examples by heart")
ax.grid(alpha=0.3)
ax.legend()
fig.savefig(output / "tutorial_first_step.png", dpi=110)

# %%
# With a loss made of absolute values the slope never gets smaller on the way down, so the curve is nearly straight, and at the end the weights step
# back and forth across the minimum. `MSELoss` or a falling learning rate would settle.
