"""Where a call of a compiled function runs: on the host, or on the device that its arguments live on or that was asked for.

A function without a target follows its arguments.  Arguments on several devices are an error; so are arrays of the host beside those of a device,
unless the target says where all of them belong.  Numbers go anywhere, by value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np

from .. import residence
from ..errors import at_user_line
from ..trace import Tracer
from .recording import defined_at, parameter_names

TARGETS = ("cpu", "cuda")
_ADVICE = 'pass `tracejit.device_put(x)`, or jit with `target="cuda"`, which does so'


class Placement(NamedTuple):
    """The number of a device, and which of the flat arguments are numbers that a program gets by value."""

    device: int
    by_value: frozenset[int]

    def __str__(self) -> str:
        return f"cuda:{self.device}"


def parse_target(target: Any) -> str | None:
    """A target as a text: "cpu", "cuda" (the current device) or "cuda:1". Raises `ValueError` for anything else."""
    if target is None:
        return None
    text = str(target)
    kind, _, number = text.partition(":")
    if kind not in TARGETS or number and not (kind == "cuda" and number.isdigit()):
        raise ValueError(at_user_line(f'jit: target is "cpu", "cuda" or "cuda:0", "cuda:1", ..., got {target!r}'))
    return text


def placement(
    flat: Sequence[Any], closed_over: Sequence[Any], target: str | None, f: Callable, what: str, paths: Callable[[], list[str]]
) -> Placement | None:
    """Where the call with these flat arguments runs, of a function that may read the arrays `closed_over`; None for the host.

    Raises `DeviceError` where arguments live in several places.
    """
    if not residence.classes and (target is None or target == "cpu"):
        return None
    device = None if target in (None, "cpu") else _wanted(target)
    first = None  # the argument that the others must agree with
    for i, x in enumerate(flat):
        home = residence.home(x)
        if home is None:
            continue
        here = home.device_of(x)
        if target == "cpu":
            raise _mixed(f, what, f"argument `{_name(f, paths, i)}` lives on cuda:{here}", "the target is cpu: pass `tracejit.device_get(x)`")
        if device is None or first is None and ":" not in target:
            device, first = here, i
        elif here != device:
            other = f"the target is {target}" if first is None else f"argument `{_name(f, paths, first)}` on cuda:{device}"
            advice = f'pass `tracejit.device_put(x, "cuda:{device}")`'
            raise _mixed(f, what, f"argument `{_name(f, paths, i)}` lives on cuda:{here}", f"{other}: {advice}")
    if target == "cpu":
        return None
    on_host = [i for i, x in enumerate(flat) if isinstance(x, np.ndarray) and x.ndim]
    if target is None and device is not None and on_host:
        raise _mixed(
            f, what, f"argument `{_name(f, paths, on_host[0])}` is an array of the host",
            f"argument `{_name(f, paths, first)}` lives on cuda:{device}: {_ADVICE}",
        )  # fmt: skip
    if device is None and not on_host and not any(type(x) is Tracer for x in flat):  # all are numbers: what is closed over decides
        found = residence.meeting(closed_over)
        if found is not None:
            device = found.device_of(next(x for x in closed_over if residence.home(x) is found))
    if device is None:
        return None
    return Placement(device, frozenset([i for i, x in enumerate(flat) if _is_number(x)]))


def _is_number(x: Any) -> bool:
    return isinstance(x, (np.generic, int, float, complex)) or isinstance(x, np.ndarray) and not x.ndim


def new_variant(made: Any, name: str, environment: Any, effects: Sequence[Any], where: Placement | None) -> Any:
    """The variant of a recorded function, for the host or a device."""
    if where is None:
        from .variant import Variant

        return Variant(made, name, environment, effects)
    from .device_variant import DeviceVariant

    return DeviceVariant(made, name, environment, effects, where)


def _wanted(target: str) -> int:
    """The device that a target names, of which there must be one."""
    from ..cuda.backend import backend

    number = target.partition(":")[2]
    return int(number) if number else backend().current_device()


def _name(f: Callable, paths: Callable[[], list[str]], i: int) -> str:
    return parameter_names(f, paths())[i]


def _mixed(f: Callable, what: str, one: str, other: str) -> Exception:
    from ..cuda.errors import DeviceError

    return DeviceError(at_user_line(f"{what}: arrays of {defined_at(f)} live in two places: {one}, and {other}"))


def require_one_place(outside: Sequence[Any], placed: Placement | None, f: Callable, what: str) -> None:
    """Raise `DeviceError` where a function whose arguments are arrays of the host closes over arrays of a device, or over those of another one."""
    for x in outside:
        home = residence.home(x)
        if home is None:
            continue
        here = home.device_of(x)
        if placed is None:
            raise _mixed(
                f, what, f"it closes over an array ({x.dtype}{list(x.shape)}) on cuda:{here}",
                f"its arguments are arrays of the host: {_ADVICE}",
            )  # fmt: skip
        if here != placed.device:
            raise _mixed(
                f, what, f"it closes over an array ({x.dtype}{list(x.shape)}) on cuda:{here}",
                f'its arguments live on {placed}: pass `tracejit.device_put(x, "{placed}")`',
            )  # fmt: skip


def require_together(flat: Sequence[Any], outside: Sequence[Any], f: Callable, what: str, paths: Callable[[], list[str]]) -> None:
    """Raise `DeviceError` where the arguments of a function that is computed at once, and what it closes over, live in several places."""
    if residence.classes:
        placed = placement(flat, outside, None, f, what, paths)
        if placed is not None or any(isinstance(x, np.ndarray) and x.ndim for x in flat):
            require_one_place(outside, placed, f, what)


def require_beside(what: str, name: str, given: Sequence[Any], other: str, values: Sequence[Any]) -> None:
    """Raise `DeviceError` where arrays among `given` and those among `values`, which they belong to, live in different places."""
    if not residence.classes:
        return
    places = {_place(x) for x in given if type(x) is not Tracer and residence.is_array(x) and x.ndim}
    wanted = {_place(x) for x in values if type(x) is not Tracer and residence.is_array(x) and x.ndim}
    if wanted and places - wanted:
        from ..cuda.errors import DeviceError

        here, there = (places - wanted).pop(), wanted.pop()
        advice = f'pass `tracejit.device_put(x, "{there}")`' if there != "the host" else "pass `tracejit.device_get(x)`"
        raise DeviceError(at_user_line(f"{what}: an array among the {name} lives on {here}, and the {other} on {there}: {advice}"))


def _place(x: Any) -> str:
    home = residence.home(x)
    return "the host" if home is None else f"cuda:{home.device_of(x)}"


__all__ = ["Placement", "new_variant", "parse_target", "placement", "require_beside", "require_one_place", "require_together"]
