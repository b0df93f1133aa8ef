"""Which temporary of a nest may be written over another one that dies there.

A value is computed in place of one that it reads when every element is read for the last time in the very turn that writes it.
"""

from __future__ import annotations

from .fuse import Loop, Nest, reads
from .kernel import Buffer
from .steps import Stage


def in_place(nest: Nest, dying: set[Buffer], born: set[Buffer]) -> list[tuple[Buffer, Buffer]]:
    """Pairs (new, old): `new`, made in the nest, may have the memory of `old`, which nothing reads afterwards. Each buffer is in one pair at most."""
    pairs: list[tuple[Buffer, Buffer]] = []
    free = set(dying)
    for body in _bodies(nest.body):
        for place, stage in enumerate(body):
            if not isinstance(stage, Stage) or stage.buffer not in born or stage.combine or _writers(nest, stage.buffer) != 1:
                continue
            for old in sorted((e.data[0] for e in reads(stage) if e.data[0] in free), key=lambda b: b.type.nbytes):
                if old.type == stage.buffer.type and _read_here_alone(nest, old, body[: place + 1], stage):
                    pairs.append((stage.buffer, old))
                    free.discard(old)
                    break
    return pairs


def _bodies(body: list[Loop | Stage]):
    yield body
    for item in body:
        if isinstance(item, Loop):
            yield from _bodies(item.body)


def _writers(nest: Nest, buffer: Buffer) -> int:
    return sum(s.buffer is buffer for s in nest.stages())


def _read_here_alone(nest: Nest, old: Buffer, allowed: list, stage: Stage) -> bool:
    """Whether all reads of `old` are made by the allowed stages, at the index that `stage` writes."""
    for reader in nest.stages():
        found = [e.data[1] for e in reads(reader) if e.data[0] is old]
        if found and (reader not in allowed or any(index != stage.target for index in found)):
            return False
    return True
