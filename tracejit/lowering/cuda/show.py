"""A program on a GPU as text for people: its steps, the sources of its kernels, and the machine code that they became."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..steps import Library
from . import driven
from .epilogues import Product
from .plan import touched_by
from .schedule import Launch


def show(program: Any) -> str:
    """The steps of a program in order; each kernel's source where it is met first, and behind them what the compiler made of it."""
    names: dict[Any, str] = {}
    return "\n".join(line for step in program.plan.steps for line in _step(program, step, names))


def _step(program: Any, step: Any, names: dict[Any, str]) -> Iterator[str]:
    if not isinstance(step, Launch):
        why = program.plan.driven.get(step)
        yield f"# {_what(program, step)}: {step.node.op.name}{f' ({why})' if why else ''}"
        return
    kernel = program.plan.kernels[step]
    if kernel in names:
        yield f"# {names[kernel]} again"
        return
    names[kernel] = f"kernel {len(names) + 1}"
    loops = [program.plan.loops[part] for part in (step, *step.sections) if part in program.plan.loops]
    yield f"# {names[kernel]}: blocks of {kernel.threads} threads{''.join(f', a whole {loop}' for loop in loops)}"
    yield kernel.source
    signature = tuple((p.dtype, "value" if p.by_value else "pointer") for p in kernel.parameters)
    for title, text in program.backend.listings(kernel.source, "kernel", signature):
        yield f"# {names[kernel]}, {title}:"
        yield text


def _what(program: Any, step: Any) -> str:
    op = step.node.op
    if op.kind in driven.LOOPS:
        return "a loop or branch that Python drives, over programs of its own"
    if isinstance(step, Library):
        with_ = ["bias"] * (len(step.operands) == 3) + ["ReLU"] * (isinstance(step, Product) and step.relu)
        return f"a library's product{' with ' * bool(with_)}{' and '.join(with_)}"
    return "on the host" if program.backend.runs_on_host(op) else "through CuPy"


def summary(program: Any) -> str:
    """How many kernels there are, which loops and branches are among them, and what is none, for loops with the reason: in one line."""
    plan = program.plan
    found: dict[str, list[str]] = {}
    if plan.loops:
        found["loops and branches that are kernels"] = list(plan.loops.values())
    for step in plan.steps:
        if not isinstance(step, Launch):
            why = plan.driven.get(step)
            found.setdefault(_what(program, step), []).append(f"{step.node.op.name} ({why})" if why else step.node.op.name)
    launches = sum(isinstance(step, Launch) for step in plan.steps)
    text = f"{launches} kernel{'s' * (launches != 1)}"
    return "; ".join([text, *(f"{what}: {', '.join(dict.fromkeys(names))}" for what, names in found.items())])


def bytes_moved(program: Any) -> int:
    """Bytes that the steps read and write, each buffer once a step."""
    return sum(b.type.nbytes for step in program.plan.steps for b in touched_by(step))


__all__ = ["bytes_moved", "show", "summary"]
