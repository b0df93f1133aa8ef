"""`einsum`: a formula taken apart into diagonals, sums, products of two arrays and one transposition."""
from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from ..errors import at_user_line
from ..ir.types import BOOL
from ..ops import elementwise as ops
from ..ops import movement, reduction
from ..ops.dot import dot_general
from .matrices import diagonal
from .promotion import as_array, astype, promote
from .register import implements, refuse


@implements(np.einsum)
def einsum(*operands, out=None, dtype=None, order="K", casting="safe", optimize=False):
    """As `numpy.einsum`. Three or more operands are multiplied two at a time, in the order that `np.einsum_path` finds by greed."""
    refuse("np.einsum", out=out)
    labels, output, arrays = _parse(operands)
    arrays = promote(*arrays)
    if dtype is not None:
        arrays = [astype(x, dtype, casting) for x in arrays]
    terms = [_without_repeats(x, term) for x, term in zip(arrays, labels)]
    terms = _without_spread(terms)
    for pair in _order_of_products(terms, output, optimize):
        chosen = [terms[i] for i in pair]
        terms = [t for i, t in enumerate(terms) if i not in pair]
        later = set(output).union(*[names for _, names in terms])
        terms.append(chosen[0] if len(chosen) == 1 else _product(*chosen, later))
    x, names = _summed(*terms[0], set(output))
    return movement.transpose(x, permutation=tuple(names.index(name) for name in output))


# -- the formula
def _parse(operands: tuple) -> tuple[list[list[Any]], list[Any], list]:
    """One list of labels for each operand, the labels of the result, the operands. An ellipsis becomes the labels (-n .. -1), lined up at the end."""
    if not operands:
        raise ValueError(at_user_line("must specify the einstein sum subscripts string and at least one operand, "
                                      "or at least one operand and its corresponding subscripts list"))
    if isinstance(operands[0], str):
        (inputs, result), arrays = _split(operands[0]), operands[1:]
    else:
        pairs, rest = operands[:len(operands) // 2 * 2], operands[len(operands) // 2 * 2:]
        arrays, inputs, result = pairs[::2], [list(term) for term in pairs[1::2]], list(rest[0]) if rest else None
    arrays = [as_array(a) for a in arrays]
    if len(inputs) != len(arrays):
        more = "more" if len(arrays) > len(inputs) else "fewer"
        raise ValueError(at_user_line(f"{more} operands provided to einstein sum function than specified in the subscripts string"))
    spread = 0
    for term, x in zip(inputs, arrays):
        if Ellipsis in term:
            spread = max(spread, x.ndim - len(term) + 1)
    labels = [_with_spread(term, x.ndim) for term, x in zip(inputs, arrays)]
    return labels, _output(labels, result, spread), arrays


def _split(formula: str) -> tuple[list[list], list | None]:
    left, arrow, right = formula.replace(" ", "").partition("->")
    return [_letters(term) for term in left.split(",")], _letters(right) if arrow else None


def _letters(term: str) -> list:
    before, dots, behind = term.partition("...")
    for letter in before + behind:
        if not letter.isalpha():
            raise ValueError(at_user_line(f"invalid subscript '{letter}' in einstein sum subscripts string, subscripts must be letters"))
    return [*before, Ellipsis, *behind] if dots else list(before)


def _with_spread(term: list, ndim: int) -> list:
    if Ellipsis not in term:
        if len(term) != ndim:
            raise ValueError(at_user_line(f"einstein sum subscripts string has {len(term)} subscripts for an operand of {ndim} dimensions"))
        return term
    extra = ndim - len(term) + 1
    if extra < 0:
        raise ValueError(at_user_line(f"einstein sum subscripts string contains too many subscripts for an operand of {ndim} dimensions"))
    at = term.index(Ellipsis)
    return [*term[:at], *_spread_names(extra), *term[at + 1:]]


def _spread_names(n: int) -> list[tuple]:
    return [("...", -n + i) for i in range(n)]


def _output(labels: list[list], result: list | None, spread: int) -> list:
    everything = list(itertools.chain(*labels))
    if result is None:   # what occurs once, in order
        once = sorted(name for name in set(everything) if type(name) is not tuple and everything.count(name) == 1)
        return [*_spread_names(spread), *once]
    if Ellipsis in result:
        at = result.index(Ellipsis)
        result = [*result[:at], *_spread_names(spread), *result[at + 1:]]
    for name in result:
        if name not in everything:
            raise ValueError(at_user_line(f"einstein sum subscripts string included output subscript '{name}' which never appeared in an input"))
        if result.count(name) > 1:
            raise ValueError(at_user_line(f"einstein sum subscripts string includes output subscript '{name}' multiple times"))
    return result


# -- one operand
def _without_repeats(x, names: list) -> tuple:
    """A label that occurs twice takes the diagonal."""
    names = list(names)
    for name in dict.fromkeys(names):
        while names.count(name) > 1:
            i = names.index(name)
            j = names.index(name, i + 1)
            if x.shape[i] != x.shape[j]:
                raise ValueError(at_user_line(f"dimensions in single operand for collapsing index '{name}' don't match "
                                              f"({x.shape[i]} != {x.shape[j]})"))
            x = diagonal(x, 0, i, j)
            names = [*names[:i], *names[i + 1:j], *names[j + 1:], name]
    return x, names


def _without_spread(terms: list[tuple]) -> list[tuple]:
    """An axis of size one whose label has another size elsewhere is constant along it: it is dropped."""
    sizes: dict[Any, int] = {}
    for x, names in terms:
        for name, n in zip(names, x.shape):
            known = sizes.setdefault(name, n)
            if known == 1:
                sizes[name] = n
            elif n not in (1, known):
                raise ValueError(at_user_line(f"operands could not be broadcast together with remapped shapes: "
                                              f"the label '{name}' has the sizes {known} and {n}"))
    result = []
    for x, names in terms:
        kept = [d for d, name in enumerate(names) if not (x.shape[d] == 1 and sizes[name] != 1)]
        result.append((movement.reshape(x, shape=tuple(x.shape[d] for d in kept)), [names[d] for d in kept]))
    return result


def _summed(x, names: list, wanted: set) -> tuple:
    """Labels that nobody wants any more are summed away."""
    axes = tuple(d for d, name in enumerate(names) if name not in wanted)
    if axes:
        x = (reduction.reduce_any if x.dtype == BOOL else reduction.reduce_sum)(x, axes=axes)
    return x, [name for name in names if name in wanted]


# -- products of two
def _order_of_products(terms: list[tuple], output: list, optimize) -> list[tuple[int, ...]]:
    if len(terms) < 3:
        return [tuple(range(len(terms)))]
    number = {name: i for i, name in enumerate(dict.fromkeys(itertools.chain(*(names for _, names in terms))))}
    arguments: list[Any] = []
    for x, names in terms:
        arguments += [np.broadcast_to(np.zeros(()), x.shape), [number[name] for name in names]]
    if not isinstance(optimize, (list, tuple)) or not optimize or optimize[0] != "einsum_path":
        optimize = "greedy"
    path = np.einsum_path(*arguments, [number[name] for name in output], optimize=optimize)[0][1:]
    pairs = []
    for step in path:   # more than two at once: one after the other, each product goes to the end of the list
        step, n = sorted(step), len(terms) - len(pairs)
        pairs.append(tuple(step[:2]))
        for i, k in enumerate(step[2:]):
            pairs.append((k - 2 - i, n - 2 - i))
    return pairs


def _product(left: tuple, right: tuple, later: set) -> tuple:
    """Of two terms: labels that both have and nobody needs later are contracted."""
    (x, names_x), (y, names_y) = left, right
    x, names_x = _summed(x, names_x, later.union(names_y))
    y, names_y = _summed(y, names_y, later.union(names_x))
    both = [name for name in names_x if name in names_y]
    contracted = [name for name in both if name not in later]
    if not contracted:
        return _pointwise(x, names_x, y, names_y)
    kept = [name for name in both if name in later]

    def axes(names, chosen):
        return tuple(names.index(name) for name in chosen)
    result = dot_general(x, y, contract=(axes(names_x, contracted), axes(names_y, contracted)), batch=(axes(names_x, kept), axes(names_y, kept)))
    return result, [*kept, *(name for name in names_x if name not in both), *(name for name in names_y if name not in both)]


def _pointwise(x, names_x, y, names_y) -> tuple:
    """Nothing to contract: one elementwise product of arrays whose axes line up, which fuses with its neighbours."""
    names = [*names_x, *(name for name in names_y if name not in names_x)]
    order = sorted(range(len(names_y)), key=lambda d: names.index(names_y[d]))
    y = movement.transpose(y, permutation=tuple(order))
    extents = dict(zip((names_y[d] for d in order), y.shape))
    x = movement.reshape(x, shape=(*x.shape, *(1,) * (len(names) - len(names_x))))
    y = movement.reshape(y, shape=tuple(extents.get(name, 1) for name in names))
    return ops.multiply(x, y), names


@implements(np.einsum_path)
def einsum_path(*operands, optimize="greedy", einsum_call=False):
    """As `numpy.einsum_path`, which looks at shapes alone."""
    plain = [np.broadcast_to(np.zeros((), x.dtype), x.shape) if hasattr(x, "owner") else x for x in operands]
    return np.einsum_path(*plain, optimize=optimize)
