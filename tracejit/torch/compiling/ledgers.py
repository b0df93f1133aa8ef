"""Lists that a compiled function adds to and does not read: `losses.append(loss.item())`.

Such a list is another one at each call, and must not be part of what tells programs apart.  While the function is recorded a `Ledger` stands in its
place everywhere, which notes whether anything but adding has been asked of it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from ...trace.ledger import Ledger


class Entry(NamedTuple):
    """A list, its path in the surroundings, and all places that hold it: container and key."""

    original: list
    path: str
    places: tuple[tuple[Any, Any], ...]


def put_in_place(entries: list[Entry]) -> list[Ledger]:
    """A ledger for each list, in all of its places."""
    made = []
    for entry in entries:
        made.append(Ledger(entry.original))
        for container, key in entry.places:
            container[key] = made[-1]
    return made


def take_away(entries: list[Entry], ledgers: list[Ledger]) -> None:
    """Put the lists themselves back, with what was added, where the ledgers still stand."""
    for entry, ledger in zip(entries, ledgers):
        items = list.__getitem__(ledger, slice(None))
        if len(items) != len(entry.original) or ledger.read:
            entry.original[:] = items
        for container, key in entry.places:
            try:
                there = container[key]
            except LookupError:
                continue
            if there is ledger:
                container[key] = entry.original
