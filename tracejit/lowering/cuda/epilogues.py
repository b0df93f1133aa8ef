"""Products that a bias is added to, and a ReLU taken of, while they are written: for libraries that do both.

A product that one stage reads, as `x @ w + b` or `maximum(x @ w + b, 0)`, is not stored but what that stage makes of it.  The slope of a ReLU asks
where the sum was positive, or no number: that is where the result is, so the product need not be kept for a gradient either.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from .. import index as ix
from ..index import Index
from ..kernel import Buffer, Expression, load, loads, make
from ..plan import touched
from ..steps import Library, Partition, Stage, Step, View

Offered = Callable[[np.dtype], frozenset[str]]
"""What a library can do to products of a dtype: "bias", "relu"."""


@dataclass(eq=False)
class Product(Library):
    """A product to whose rows the third operand is added, if there is one; with `relu`, negative numbers are zeros then."""

    relu: bool = False


class _Sum(NamedTuple):
    """An element of a product, at `at`, with that of a bias added."""

    at: tuple[Index, ...]
    bias: Buffer | None


def with_epilogues(partition: Partition, offered: Offered) -> Partition:
    """The partition with such products, as far as the library has them."""
    steps = list(partition.steps)
    products = [s for s in steps if type(s) is Library and "bias" in offered(s.result.type.dtype)]
    known = {s: _read(s) for s in steps} if products else {}
    for step in products:
        readers = [s for s in steps if s is not step and step.result in known[s]]
        found = _ending(steps, step, readers, "relu" in offered(step.result.type.dtype))
        if found is None:
            continue
        stage, bias, relu = found
        operands = step.operands + ([View(bias, bias.shape, 0, ix.strides(bias.shape))] if bias else [])
        new = {step: Product(step.node, operands, stage.buffer, relu)}
        new |= {s: _asking(s, step.result, bias, stage.buffer) for s in readers if s is not stage}
        known |= {s: _read(s) for s in new.values()}
        steps = [new.get(s, s) for s in steps if s is not stage]
    return replace(partition, steps=steps)


def _ending(steps: list[Step], step: Library, readers: list[Step], has_relu: bool) -> tuple[Stage, Buffer | None, bool] | None:
    """The stage that a product ends in, the bias, and whether there is a ReLU."""
    product = step.result
    if product.role != "temporary" or not all(isinstance(s, Stage) for s in readers):
        return None
    for stage in readers:
        e = stage.expression
        relu = has_relu and e.op == "apply" and e.data == "maximum" and any(map(_is_zero, e.args))
        inside = next(a for a in e.args if not _is_zero(a)) if relu else e
        total = _sum(inside, product)
        if total is None or not (relu or total.bias) or not _is_whole(steps, stage, total, product):
            continue
        if not _is_known(steps, step, total.bias):
            continue
        others = [s for s in readers if s is not stage]
        if not others:
            return stage, total.bias, relu
        if relu and stage.buffer.shape == product.shape and not any(product in _read(_asking(s, product, total.bias, stage.buffer)) for s in others):
            return stage, total.bias, relu
    return None


def _read(step: Step) -> set[Buffer]:
    if isinstance(step, Stage):
        computed = [c.expression for i in step.target for c in i.computed()]
        return {e.data[0] for root in (step.expression, *computed) for e in loads(root)}
    return set(touched(step))


def _is_zero(e: Expression) -> bool:
    return e.op == "const" and not np.frombuffer(e.data, e.dtype)[0]


def _sum(e: Expression, product: Buffer, bias: Buffer | None = None) -> _Sum | None:
    """What an expression is as a sum of an element of the product and one of a bias, of that one where it is given."""
    if e.op == "load" and e.data[0] is product:
        return _Sum(e.data[1], None)
    if e.op != "apply" or e.data != "add" or not all(a.op == "load" for a in e.args):
        return None
    for x, b in (e.args, e.args[::-1]):
        at, (vector, position) = x.data[1], b.data
        if x.data[0] is product and vector is not product and vector in (bias or vector,) and vector.shape:
            if vector.type.size == product.shape[-1] and ix.flatten(position, vector.shape) == at[-1]:
                return _Sum(at, vector)
    return None


def _is_whole(steps: list[Step], stage: Stage, total: _Sum, product: Buffer) -> bool:
    """Whether the stage makes an array of its own, each element from the one at the same place of the product."""
    b = stage.buffer
    alone = stage.combine is None and not stage.into and sum(isinstance(s, Stage) and s.buffer is b for s in steps) == 1
    same = b.type.size == product.type.size and b.type.dtype == product.type.dtype and b.role in ("temporary", "output")
    return alone and same and ix.flatten(stage.target, b.shape) == ix.flatten(total.at, product.shape)


def _is_known(steps: list[Step], step: Library, bias: Buffer | None) -> bool:
    """Whether the bias is there before the product."""
    makers = [k for k, s in enumerate(steps) if bias in ([s.buffer] if isinstance(s, Stage) else set(touched(s)) - _operands(s))]
    return bias is None or bias.role == "input" and not makers or bool(makers) and max(makers) < steps.index(step)


def _operands(step: Step) -> set[Buffer]:
    return {o.buffer if isinstance(o, View) else o for o in step.operands if isinstance(o, View | Buffer)}


def _asking(stage: Stage, product: Buffer, bias: Buffer | None, result: Buffer) -> Stage:
    """The stage with questions about the sum, whether it is positive or no number, asked of its ReLU: the answers are the same."""
    known: dict[Expression, Expression] = {}

    def rewritten(e: Expression) -> Expression:
        if e not in known:
            known[e] = made(e)
        return known[e]

    def made(e: Expression) -> Expression:
        if e.op == "apply" and len(e.args) == 2:
            x, y = e.args
            total = _sum(x, product, bias)
            if total and total.bias is bias and (e.data == "greater" and _is_zero(y) or e.data == "not_equal" and x is y):
                new = load(result, total.at)
                return make("apply", e.dtype, (new, new if x is y else y), e.data)
        return make(e.op, e.dtype, tuple(map(rewritten, e.args)), e.data) if e.args else e

    return replace(stage, expression=rewritten(stage.expression))


__all__ = ["Offered", "Product", "with_epilogues"]
