"""What `checkpoint` saves of the values inside: functions of an operation and its types that say whether its results are kept.

A policy is called as `policy(op, *types, **params)` with the operation (`op.name` is its name), the types of its inputs and its static parameters.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple


def everything_saveable(op: Any, *types: Any, **params: Any) -> bool:
    """Save all values that the derivative reads, as without a checkpoint."""
    return True


def nothing_saveable(op: Any, *types: Any, **params: Any) -> bool:
    """Save nothing but the arguments: what `checkpoint` does without a policy."""
    return False


def dots_saveable(op: Any, *types: Any, **params: Any) -> bool:
    """Save the results of matrix products; compute again what is cheap."""
    return op.name == "dot_general"


def dots_with_no_batch_dims_saveable(op: Any, *types: Any, **params: Any) -> bool:
    """Save the results of matrix products that are not stacks of products: those with weights, but not those between activations."""
    return op.name == "dot_general" and not any(params.get("batch", ((), ())))


class _Names(NamedTuple):
    """Saves values by the names that `checkpoint_name` gave them. Equal sets of names are equal policies."""

    names: frozenset[str]
    listed: bool  # whether the names are those to save
    others: bool  # whether values without a name are saved

    def __call__(self, op: Any, *types: Any, **params: Any) -> bool:
        return (params["name"] in self.names) == self.listed if op.name == "named" else self.others


def save_only_these_names(*names: str) -> Callable[..., bool]:
    """Save the values that have one of these names (`checkpoint_name`), and no others."""
    return _Names(frozenset(names), True, False)


def save_any_names_but_these(*names: str) -> Callable[..., bool]:
    """Save the values that have a name, unless it is one of these."""
    return _Names(frozenset(names), False, False)


def save_anything_except_these_names(*names: str) -> Callable[..., bool]:
    """Save all values but those that have one of these names."""
    return _Names(frozenset(names), False, True)


class _Either(NamedTuple):
    first: Callable[..., bool]
    second: Callable[..., bool]

    def __call__(self, op: Any, *types: Any, **params: Any) -> bool:
        return self.first(op, *types, **params) or self.second(op, *types, **params)


def save_from_both_policies(first: Callable[..., bool], second: Callable[..., bool]) -> Callable[..., bool]:
    """Save what one policy or the other saves."""
    return _Either(first, second)


__all__ = [
    "dots_saveable",
    "dots_with_no_batch_dims_saveable",
    "everything_saveable",
    "nothing_saveable",
    "save_any_names_but_these",
    "save_anything_except_these_names",
    "save_from_both_policies",
    "save_only_these_names",
]
