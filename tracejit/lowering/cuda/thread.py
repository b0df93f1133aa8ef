"""One thread of a kernel as LLVM IR: the operations of `cpu/emit.py` at one lane, and those that only a GPU's thread has.

`DeviceThread` writes for NVPTX, LLVM's target for NVIDIA devices.  Arithmetic comes out as `add.rn`, `fma.rn` and `div.rn`, which the assembler
neither fuses nor approximates, and elementary functions are the CPU target's formulas: a kernel computes the bits that the CPU computes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from ..cpu.emit import BITS, Emitter, Value
from . import far_angles

GLOBAL = "ptr addrspace(1)"
SHARED = "ptr addrspace(3)"
_RENAMED = {"min": ("min", "umin"), "max": ("max", "umax")}


class DeviceThread(Emitter):
    """The emitter of a function that runs on a device."""

    buffer = GLOBAL
    linkage = "ptx_kernel"
    record: tuple[tuple[str, str], ...] = ()  # parameters behind those of the source

    # -- what a device has no library for
    def beyond_reach(self, name: str, large: Value, x: Value, fast: Value) -> Value:
        wide = self.fpext(x, "double")
        function = self.function
        before, rare, after = function.block, function.fresh_label("huge"), function.fresh_label("reduced")
        function.cbr(large, rare, after, likely=False)
        function.label(rare, dominator=before)
        callee = far_angles.function_of(function.module, type(self), name)
        exact = self.fptrunc(function.effect("double", 1, f"call double @{callee.name}({wide.typed})"), x.kind)
        function.br(after)
        function.label(after, dominator=before)
        result = function.phi(x.kind)
        result.add(fast, before)
        result.add(exact, rare)
        return result.value

    def frem(self, a: Value, b: Value) -> Value:
        return far_angles.remainder(self, a, b)

    def libm(self, name: str, *args: Value) -> Value:
        raise NotImplementedError(f"{name} of the C library, which devices do not have")

    # -- place in the grid
    def register(self, name: str) -> Value:
        """A special register, such as "tid.x", as an i32."""
        symbol = f"llvm.nvvm.read.ptx.sreg.{name}"
        self.function.module.declare(symbol, "i32", [])
        return self.function.let("i32", 1, f"call i32 @{symbol}()")

    # -- memory
    @staticmethod
    def shared_memory(name: str, kind: str, count: int) -> tuple[Value, str]:
        """An array that the threads of a block share: its address, and its declaration."""
        return Value(f"@{name}", SHARED), f"@{name} = internal addrspace(3) global [{count} x {kind}] undef, align 16"

    def at(self, pointer: Value, kind: str, index: Value) -> Value:
        """The address of element `index` of an array in any kind of memory."""
        return self.function.let(pointer.kind, 1, f"getelementptr inbounds {kind}, {pointer.typed}, {index.typed}")

    @staticmethod
    def vector_alignment(itemsize: int, count: int) -> int:
        """What may be said of the address of a vector: that it is a multiple of its size."""
        return itemsize * count

    def barrier(self) -> None:
        """Wait for all threads of the block, and see what they have written."""
        self.function.module.declare("llvm.nvvm.barrier0", "void", [])
        self.function.do("call void @llvm.nvvm.barrier0()")

    # -- across lanes
    def warp_barrier(self) -> None:
        """Wait for the lanes of the warp, and see what they have written."""
        self.function.module.declare("llvm.nvvm.bar.warp.sync", "void", ["i32"])
        self.function.do("call void @llvm.nvvm.bar.warp.sync(i32 -1)")

    def shuffle_lanes(self, mode: str, x: Value, offset: Value, exchange: Value) -> Value:
        """x of another lane of the warp: `mode` is "down" or "bfly"; the exchange is for threads without lanes."""
        bits = BITS[x.kind]
        word = self.bitcast(x, f"i{bits}") if x.kind[0] != "i" else x
        symbol = f"llvm.nvvm.shfl.sync.{mode}.i32"
        self.function.module.declare(symbol, "i32", ["i32"] * 4)

        def moved(part: Value) -> Value:
            return self.function.effect("i32", 1, f"call i32 @{symbol}(i32 -1, {part.typed}, {offset.typed}, i32 31)")

        if bits == 64:
            high = self.const("i64", 32)
            low, top = moved(self.trunc(word, "i32")), moved(self.trunc(self.lshr(word, high), "i32"))
            word = self.or_(self.zext(low, "i64"), self.shl(self.zext(top, "i64"), high))
        else:
            word = self.trunc(moved(self.zext(word, "i32")), word.kind)
        return self.bitcast(word, x.kind)

    # -- atomic updates
    scope = 'syncscope("device") '

    def update(self, combine: str, place: Value, value: Value, signed: bool) -> None:
        """Combine a value into memory, whatever other threads do to it: "add", "mul", "min", "max", "and", "or"."""
        floating = value.kind[0] != "i"
        if combine == "mul" or floating and combine in _RENAMED:
            self._swap(place, value, self._combined(combine, value, signed, floating))
            return
        name = "fadd" if floating else _RENAMED[combine][not signed] if combine in _RENAMED else combine
        self.function.effect(value.kind, 1, f"atomicrmw {name} {place.typed}, {value.typed} {self.scope}monotonic")

    def _combined(self, combine: str, value: Value, signed: bool, floating: bool) -> Callable[[Value], Value]:
        if combine == "mul":
            return lambda old: self.fmul(old, value) if floating else self.imul(old, value)
        return lambda old: (self.maximum if combine == "max" else self.minimum)(old, value)

    def _swap(self, place: Value, value: Value, combined: Callable[[Value], Value]) -> None:
        """Compare and swap, until no other thread has come between. Ends the current block."""
        bits = f"i{BITS[value.kind]}"
        first = self.function.effect(bits, 1, f"load {bits}, {place.typed}, align {BITS[value.kind] // 8}")

        def attempt(values: Sequence[Value]) -> tuple[list[Value], Value]:
            expected = values[0]
            new = self.bitcast(combined(self.bitcast(expected, value.kind)), bits)
            pair = f"{{ {bits}, i1 }}"
            swap = f"cmpxchg {place.typed}, {expected.typed}, {new.typed} {self.scope}monotonic monotonic"
            found = self.function.effect(pair, 1, swap)
            now = self.function.effect(bits, 1, f"extractvalue {pair} {found.name}, 0")
            return [now], self.icmp("ne", now, expected)

        self.repeated([first], attempt)


__all__ = ["GLOBAL", "SHARED", "DeviceThread"]
