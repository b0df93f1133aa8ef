"""`Ledger`: a list that a function adds to and does not read, as `losses.append(loss)` does.

Such a list is another one at each call, and must not be part of what tells programs apart.  While the function is recorded a `Ledger` stands in its
place, which notes whether anything but adding has been asked of it.
"""

from __future__ import annotations

from typing import Any


class Ledger(list):
    """The contents of `original`, and whether they have been read."""

    def __init__(self, original: list):
        super().__init__(original)
        self.original, self.read = original, False


_ADDING = frozenset(("append", "extend", "__iadd__", "__init__", "__new__", "__getattribute__", "__setattr__", "__class__", "__doc__", "__dict__",
                     "__init_subclass__", "__subclasshook__", "__class_getitem__", "__hash__"))  # fmt: skip


def _reading(name: str) -> Any:
    method = getattr(list, name)

    def read(self: Ledger, *args: Any, **kwargs: Any) -> Any:
        self.read = True
        return method(self, *args, **kwargs)

    return read


for _name in dir(list):
    if _name not in _ADDING and callable(getattr(list, _name)):
        setattr(Ledger, _name, _reading(_name))


__all__ = ["Ledger"]
