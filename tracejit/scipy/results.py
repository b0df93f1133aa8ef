"""`Result`: what solvers return, with SciPy's fields, as a tree that passes through `jit` and `vmap`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import tree
from ..trace import Tracer


class Result(dict):
    """A dict whose entries are attributes, too. `success` and `message` follow from `status`, whose meaning is part of the class of the result.

    Where `status` is traced, `message` says so; where it is a batch, `message` is a list.

    >>> import tracejit as tj
    >>> found = Result({"x": 1.0, "status": 0}, messages={0: "Arrived."}, successful=(0,))
    >>> found.x, bool(found.success), found["message"]
    (1.0, True, 'Arrived.')
    """

    def __init__(self, fields: Mapping[str, Any], messages: Mapping[int, str], successful: tuple[int, ...]):
        super().__init__(fields)
        self._set("_messages", messages)
        self._set("_successful", successful)

    def __init_subclass__(cls) -> None:
        _register(cls)

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def __missing__(self, key: str) -> Any:
        status = self["status"] if key in ("success", "message") else None
        if status is None:
            raise KeyError(key)
        if key == "success":
            return sum(status == code for code in self._successful) > 0
        if type(status) is Tracer:
            return "(not known while it is traced)"
        return self._messages[int(status)] if np.ndim(status) == 0 else [self._messages[int(s)] for s in np.ravel(status)]

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__} has no field {name!r}; it has {', '.join(self)}, success, message") from None

    def __setattr__(self, name: str, value: Any) -> None:
        self[name] = value

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self, "success", "message"})

    def __repr__(self) -> str:
        fields = {"message": self["message"], "success": self["success"], **self}
        width = max(map(len, fields))
        lines = (f"{name:>{width}}: " + str(value).replace("\n", "\n" + " " * (width + 2)) for name, value in fields.items())
        return "\n".join(lines)

    def __reduce__(self):
        return type(self), (dict(self), dict(self._messages), self._successful)


def _register(cls: type) -> None:
    def flatten(result: Result):
        names = tuple(result)
        return [result[name] for name in names], (names, tuple(result._messages.items()), result._successful), names

    def unflatten(metadata: tuple, children: Any) -> Result:
        names, messages, successful = metadata
        return cls(dict(zip(names, children)), dict(messages), successful)

    tree.register_node(cls, flatten, unflatten)


_register(Result)
