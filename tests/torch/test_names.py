"""Names: what programs ask for to find out where they run, and what is said about names that are not there."""

import pytest

import tracejit.torch as torch


@pytest.mark.parametrize(
    ("holder", "name", "says"),
    [
        (torch, "bfloat16", "use torch.float32, or torch.float16"),
        (torch, "sparse_coo_tensor", "use dense ones"),
        (torch, "distributed", "one process is used"),
        (torch, "zer0s", "did you mean zeros"),
        (torch.nn, "Liner", "did you mean Linear"),
        (torch.nn.functional, "relo", "did you mean relu"),
        (torch.nn, "DataParallel", "one process is used"),
        (torch.linalg, "invert", "did you mean inv"),
        (torch.ones(2), "xpu", "memory of the CPU"),
        (torch.ones(2), "summ", "did you mean sum"),
        (torch.jit, "freeze", "has no attribute 'freeze'"),
        (torch.utils, "tensorboard", "matplotlib"),
    ],
)
def test_names_that_are_not_there(holder, name, says):
    with pytest.raises(AttributeError, match=says):
        getattr(holder, name)
    assert not hasattr(holder, name) and getattr(holder, name, 3) == 3


def test_where_a_program_runs():
    device = torch.accelerator.current_accelerator().type if torch.accelerator.is_available() else "cpu"
    assert torch.ones(1, device=device).is_cpu
    assert not torch.backends.mps.is_available()
    torch.backends.cudnn.benchmark = False
    torch.backends.cuda.matmul.allow_tf32 = True
    torch.use_deterministic_algorithms(True)
    assert torch.are_deterministic_algorithms_enabled()
    torch.use_deterministic_algorithms(False)
    torch.set_float32_matmul_precision("high")
    with pytest.raises(ValueError, match="'highest', 'high' and 'medium'"):
        torch.set_float32_matmul_precision("low")
    assert torch.get_num_threads() >= 1
    with pytest.raises(RuntimeError, match="positive integer"):
        torch.set_num_threads(0)
    with pytest.raises(RuntimeError):
        torch.set_default_device("mps")


def test_mixed_precision_switched_off():
    net = torch.nn.Linear(2, 1)
    optimizer, scaler = torch.optim.SGD(net.parameters(), 0.1), torch.amp.GradScaler("cpu", enabled=False)
    before = net.weight.detach().clone()
    with torch.autocast("cpu", dtype=torch.float16, enabled=False):
        loss = net(torch.ones(3, 2)).sum()
    scaler.scale(loss).backward()
    scaler.unscale_(optimizer)
    scaler.step(optimizer)
    scaler.update()
    assert (net.weight != before).all()
    with pytest.raises(RuntimeError, match="autocast is not provided"):
        torch.autocast("cpu")


def test_the_older_compiler():
    @torch.jit.script
    def swish(x):
        return x if torch.jit.is_scripting() else x * torch.sigmoid(x)

    assert swish(torch.zeros(1)).item() == 0.0
