"""Random numbers that NumPy or Python draws while a function is traced for `jit`: they are drawn once, and are the same in each run.

Nothing passes through the proxies, so the generators are looked at before and after: the global ones, and those in the function's environment.
"""

from __future__ import annotations

import random
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from ..errors import at_user_line


def _legacy() -> Any:
    state = np.random.get_state()  # noqa: NPY002
    return state[1].tobytes(), state[2]


_ADVICE = "Draw from `tracejit.random.default_rng(seed)`, which advances in compiled functions, or draw outside and pass the numbers"


def _generators(objects: Iterable[tuple[str, Any]]) -> dict[str, Callable[[], Any]]:
    """What tells the state of each generator, by its name in messages."""
    found: dict[str, Callable[[], Any]] = {"np.random": _legacy, "random": random.getstate}
    for path, x in objects:
        if isinstance(x, np.random.Generator):
            found[path] = lambda x=x: repr(x.bit_generator.state)
        elif isinstance(x, np.random.RandomState):
            found[path] = lambda x=x: repr(x.get_state(legacy=False))
        elif isinstance(x, random.Random):
            found[path] = x.getstate
    return found


@contextmanager
def told(objects: Iterable[tuple[str, Any]], what: str, advice: str = _ADVICE) -> Iterator[None]:
    """Warn, with `RuntimeWarning`, where a generator has advanced when it ends: a global one, or one of the `objects`, each with a path."""
    generators = _generators(objects)
    before = {path: state() for path, state in generators.items()}
    yield
    drawn = [path for path, state in generators.items() if state() != before[path]]
    if drawn:
        names = ", ".join(f"`{path}`" for path in drawn)
        warnings.warn(
            at_user_line(
                f"{what}: {names} drew numbers while the function was traced: they are the same in each run of the compiled function. {advice}"
            ),
            RuntimeWarning,
            stacklevel=2,
        )


__all__ = ["told"]
