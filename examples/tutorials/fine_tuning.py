"""A network that exists already

One training step of a ResNet-18, taken apart; where its weights come from; how to keep most of it as it is and train the rest; and the arithmetic of
`backward` on two small vectors.

Run me with `python examples/tutorials/fine_tuning.py [folder for plots]`.
"""

# %%
# ## The network
#
# Training is the repetition of two passes. Forward, the network makes its best guess. Backward, the error of the guess is traced back through all
# layers to the parameters. We take an image of noise and a thousand arbitrary targets.

import sys
import tempfile
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt

import tracejit.torch as torch
from tracejit.torch.models import resnet18

output = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parents[1] / "output"
output.mkdir(parents=True, exist_ok=True)

torch.manual_seed(0)
model = resnet18()
data = torch.rand(1, 3, 64, 64)
label = torch.rand(1, 1000)
sizes_of_parameters = [p.numel() for p in model.parameters()]
print(f"{sum(sizes_of_parameters):,} parameters in {len(sizes_of_parameters)} tensors")

# %%
# These weights are random. The library fetches nothing from anywhere: trained weights come from a file that you have, a checkpoint as torchvision
# distributes it or a safetensors file, with torchvision's names of parameters. Without one it says what to give.

try:
    resnet18(pretrained=True)
except ValueError as error:
    print(error)

# %%
# Reading a checkpoint runs nothing that is written in it. The file is a pickle, which in general is a program; the reader knows how to make
# tensors, containers and numbers, and refuses everything else.

with tempfile.TemporaryDirectory() as folder:
    checkpoint = Path(folder) / "resnet18.pth"
    torch.save(model.state_dict(), checkpoint)
    again = resnet18(weights=checkpoint)
print(torch.equal(again.fc.weight, model.fc.weight), list(model.state_dict())[:3])

# %%
# ## One step
#
# Forward, an error, backward, and then stochastic gradient descent with momentum moves every parameter by its gradient.

prediction = model(data)
loss = (prediction - label).sum()
loss.backward()
print(prediction.shape, loss)

optimizer = torch.optim.SGD(model.parameters(), lr=1e-2, momentum=0.9)
optimizer.step()
print((model(data) - label).sum())

# %%
# How large are the gradients, from the first layer to the last? With one image, batch normalisation has little to average over, and every gradient is
# several times as large as with eight.


def sizes(images):
    model.zero_grad()
    ((model(images) - torch.rand(len(images), 1000)) ** 2).mean().backward()
    convolutions = [(name, p) for name, p in model.named_parameters() if p.dim() == 4]
    return {name.removesuffix(".weight"): float(p.grad.norm() / p.norm()) for name, p in convolutions}


one, batch = sizes(torch.rand(1, 3, 64, 64)), sizes(torch.rand(8, 3, 64, 64))
fig, ax = plt.subplots(figsize=(7, 3.6), layout="constrained")
ax.plot(list(one.values()), "o-", markersize=4, label="one image")
ax.plot(list(batch.values()), "o-", markersize=4, label="eight images")
ax.set(ylabel="|gradient| / |weight|", title="Gradients of the convolutions", ylim=(0, None))
ax.set_xticks(range(len(one)), one.keys(), rotation=90, fontsize=8)
ax.grid(alpha=0.3)
ax.legend()
fig.savefig(output / "tutorial_fine_tuning_gradients.png", dpi=110)

# %%
# ## Keeping most of it
#
# Fine-tuning replaces the last layer by one for the task at hand and leaves the others alone. Parameters that require no gradient are frozen:
# nothing is recorded for them, and the way back ends where nobody needs it. A new layer requires gradients from the start. (`again` is the network
# as it was read from the file.)

model = again
for p in model.parameters():
    p.requires_grad = False
model.fc = torch.nn.Linear(512, 10)
model.eval()
trained = [name for name, p in model.named_parameters() if p.requires_grad]
print(trained)

images, classes = torch.rand(20, 3, 32, 32), torch.arange(20) % 10
optimizer = torch.optim.Adam(model.fc.parameters(), lr=0.01)


@torch.compile
def step(images, classes):
    optimizer.zero_grad()
    loss = torch.nn.functional.cross_entropy(model(images), classes)
    loss.backward()
    optimizer.step()
    return loss.detach()


before = model.conv1.weight.clone()
losses = [step(images, classes).item() for _ in range(15)]
print(f"loss {losses[0]:.3f} at first, {losses[-1]:.3f} after {len(losses)} steps")
print(torch.equal(before, model.conv1.weight), model.conv1.weight.grad)

# %%
# ## Two small vectors
#
# The same on paper. Let Q = 3a³ - b² be an error, with a and b as parameters.

a = torch.tensor([2.0, 3.0], requires_grad=True)
b = torch.tensor([6.0, 4.0], requires_grad=True)
Q = 3 * a**3 - b**2
print(Q)

# %%
# Q is a vector, so `backward` has to be told the gradient of whatever comes after Q with respect to Q. Ones stand for a sum: the call is the same
# as `Q.sum().backward()`.

Q.backward(gradient=torch.tensor([1.0, 1.0]))
print(a.grad, 9 * a**2 == a.grad)
print(b.grad, -2 * b == b.grad)

# %%
# Every operation is a node of a graph without cycles. Going through it from the result to the leaves, each node needs only the derivative of its
# own operation: that is the chain rule, and all there is to it.

node, text = Q.grad_fn, []
while node:
    text.append(node.name())
    node = node.next_functions[0][0] if node.next_functions else None
print(" <- ".join(text))
