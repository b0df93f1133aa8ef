"""Whole numbers, addresses, loops and branches in native code, for routines that are written by hand.

    n = Count(f, f.parameter("n"))
    counted(f, 0, n, 1, lambda i: call(f, "row", [x + i * pitch, y + i * 64]))

`Count` writes an instruction for each of Python's operators; plain integers stay what they are until they meet one, so the same formula serves sizes
that are known and those that are not.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from .emit import Emitter, Function, Value


class Count:
    """A 64-bit whole number in a function; `//` and `%` are meant for numbers that are not negative."""

    def __init__(self, f: Function, value: Value | int):
        self.f, self.e = f, Emitter(f, 1)
        self.value = value if isinstance(value, Value) else self.e.const("i64", value)

    def _of(self, other: Count | int) -> Value:
        return other.value if isinstance(other, Count) else self.e.const("i64", other)

    def __add__(self, other: Count | int) -> Count:
        return self if isinstance(other, int) and other == 0 else Count(self.f, self.e.iadd(self.value, self._of(other)))

    def __sub__(self, other: Count | int) -> Count:
        return self if isinstance(other, int) and other == 0 else Count(self.f, self.e.isub(self.value, self._of(other)))

    def __mul__(self, other: Count | int) -> Count:
        return self if isinstance(other, int) and other == 1 else Count(self.f, self.e.imul(self.value, self._of(other)))

    def __floordiv__(self, other: int) -> Count:
        return self if other == 1 else Count(self.f, self.e.udiv(self.value, self._of(other)))

    def __mod__(self, other: int) -> Count | int:
        return 0 if other == 1 else Count(self.f, self.e.urem(self.value, self._of(other)))

    __radd__, __rmul__ = __add__, __mul__

    def __rsub__(self, other: int) -> Count:
        return Count(self.f, self.e.isub(self._of(other), self.value))

    def smaller(self, other: Count | int) -> Count:
        """The smaller of the two."""
        return Count(self.f, self.e.smin(self.value, self._of(other)))

    def larger(self, other: Count | int) -> Count:
        """The larger of the two."""
        return Count(self.f, self.e.smax(self.value, self._of(other)))

    def compared(self, predicate: str, other: Count | int) -> Value:
        """An i1: `slt`, `sge`, `eq` and so on."""
        return self.e.icmp(predicate, self.value, self._of(other))


class Place:
    """An address in a function: `place + bytes` is another one."""

    def __init__(self, f: Function, value: Value):
        self.f, self.value = f, value

    def __add__(self, offset: Count | int) -> Place:
        if isinstance(offset, int) and offset == 0:
            return self
        offset = offset if isinstance(offset, Count) else Count(self.f, offset)
        return Place(self.f, offset.e.gep(self.value, "i8", offset.value))

    def number(self) -> Count:
        """The 64-bit whole number that stands there."""
        return Count(self.f, Emitter(self.f, 1).load(self.value, "i64", 8))

    def place(self) -> Place:
        """The address that stands there."""
        return Place(self.f, Emitter(self.f, 1).load(self.value, "ptr", 8))


def call(f: Function, name: str, arguments: Sequence[Count | Place | Value | int]) -> None:
    """Call a function of this module that gives nothing back; plain integers are 64 bits wide."""
    values = [Count(f, a) if isinstance(a, int) else a for a in arguments]
    f.do(f"call void @{name}({', '.join((a if isinstance(a, Value) else a.value).typed for a in values)})")


def carried(f: Function, start: Value, stop: Value, step: int | Value, values: Sequence[Value], turn: Callable) -> list[Value]:
    """`values = turn(i, values)` for i = start, start + step, ... below stop, which is above start: the first turn is taken always."""
    e, before, loop, done = Emitter(f, 1), f.block, f.fresh_label("each"), f.fresh_label("done")
    f.br(loop)
    f.label(loop, dominator=before)
    i = f.phi("i64")
    i.add(start, before)
    phis = [f.phi(v.kind, v.lanes) for v in values]
    for phi, value in zip(phis, values):
        phi.add(value, before)
    made = turn(i.value, [phi.value for phi in phis])
    following = e.iadd(i.value, step if isinstance(step, Value) else e.const("i64", step))
    i.add(following, f.block)
    for phi, value in zip(phis, made):
        phi.add(value, f.block)
    last = f.block
    f.cbr(e.icmp("slt", following, stop), loop, done)
    f.label(done, dominator=last)
    return list(made)


def where(f: Function, condition: Value, body: Callable[[], None]) -> None:
    """Write `body` to be run where the condition holds."""
    before, then, done = f.block, f.fresh_label("then"), f.fresh_label("end")
    f.cbr(condition, then, done)
    f.label(then, dominator=before)
    body()
    f.br(done)
    f.label(done, dominator=before)


def each(f: Function, count: int, turn: Callable[[Value], None]) -> None:
    """`turn(i)` for i in range(count), for a count that is known now; one turn is written without a loop."""
    if count == 1:
        turn(Emitter(f, 1).const("i64", 0))
    else:
        counted(f, 0, count, 1, lambda i: turn(i.value))


def counted(f: Function, start: Count | int, stop: Count | int, step: int, body: Callable[[Count], None]) -> None:
    """`body(i)` for i in range(start, stop, step), which may have no turns."""
    first, last = (v if isinstance(v, Count) else Count(f, v) for v in (start, stop))

    def turn(i: Value, _: list[Value]) -> list[Value]:
        body(Count(f, i))
        return []

    def loop() -> None:
        carried(f, first.value, last.value, step, [], turn)

    if isinstance(start, int) and isinstance(stop, int):
        if start < stop:
            loop()
    else:
        where(f, first.compared("slt", last), loop)


__all__ = ["Count", "Place", "call", "carried", "counted", "where"]
