"""From LLVM IR text to callable addresses, through llvmlite.

Input: the text of one module, the addresses of the symbols it imports, the names it exports.  Output: a `Library`, which owns the loaded code.

    library = compile_module(text, {"my_blas_dgemm": address}, ["kernel"])
    kernel = ctypes.CFUNCTYPE(None, ctypes.c_int64, ctypes.c_void_p)(library.address("kernel"))

The two halves are public: `compile_object` makes position-independent object code, and `load_object` links it.  Between them stands the disk cache
(`disk_cache`): equal text is compiled once for a machine.  What is imported is resolved at each load, so object code embeds no address; a text that
did would be another text in each process, and not be found.  `target_key` says which machines an object is good for.

Choices, measured with LLVM 22 on a kernel of 50 vector operations that takes 4.3 ms in all, most of it in instruction selection (3.3 ms):
- The emitter already writes explicit vectors and shares equal expressions, so no pipeline of LLVM's runs, only four passes (0.3 ms);
  O1 to O3 cost 4 to 6 ms more.
- Position-independent code in the small code model reads its constants relative to the instruction pointer.  The JIT default (large) takes one
  `movabs` for each constant, which costs a register and makes emission half as slow again: 32 ms against 17 ms for 300 operations.
- Linking is our own where it can be (`elf`), since what comes from the disk cache then needs no LLVM at all: importing llvmlite takes 27 ms.  Else it
  is LLJIT's.  Both put code and constants into one allocation, so the 2 GiB reach of that model is never exceeded; imported symbols get stubs.
- A target machine and a JIT are made once a process (0.6 ms and 1.5 ms).
"""

import itertools
import os
import threading
import weakref
from functools import cache

from .. import disk_cache
from . import elf
from .host import host

_PASSES = "1"
"""To be raised when `_optimised` makes another module of a text: object code of other passes is not used."""

_lock = threading.RLock()
_libraries: "weakref.WeakValueDictionary[tuple, Library]" = weakref.WeakValueDictionary()
_serial = itertools.count()


class LoweringError(Exception):
    """LLVM rejected a module that tracejit wrote: a bug in an emitter, so the message carries the numbered text."""


class Library:
    """Loaded machine code.  The code is unloaded when the library dies, so whoever calls an address must keep the library alive.

    >>> one = compile_module("define i64 @one() { ret i64 1 }", {}, ["one"])
    >>> import ctypes; ctypes.CFUNCTYPE(ctypes.c_int64)(one.address("one"))()
    1
    """

    def __init__(self, addresses, jit, object_code: bytes, text: str | None, thorough: bool = False):
        self._jit = jit  # which must outlive what it has linked
        self._addresses = addresses
        self.object_code = object_code
        self.text = text
        self._thorough = thorough

    def address(self, name: str) -> int:
        """The address of an exported function or global; KeyError for a name that was not exported."""
        return self._addresses[name]

    @property
    def asm(self) -> str:
        """The machine code as assembly text, for people; made on demand, and only where the library was compiled from text."""
        if self.text is None:
            raise ValueError("this library was loaded from object code: it has no LLVM text to disassemble")
        with _lock:
            return _machine().emit_assembly(_optimised(self.text, self._thorough))


def compile_module(text: str, symbols: dict[str, int], exports: list[str], thorough: bool = False) -> Library:
    """Compile and load one module; identical requests share one library while it lives.

    Arguments: `text`, LLVM IR; `symbols`, the address of each imported symbol that is not one of the process's own (libm's are); `exports`, the names
    that `Library.address` will be asked for; `thorough`, to run LLVM's whole pipeline, which loops over scalar code need.
    Raises LoweringError for text that does not parse, verify or link.

    >>> compile_module("define double @half() { ret double 0.5 }", {}, ["half"]).address("half") > 0
    True
    """
    key = (text, tuple(sorted(symbols.items())), tuple(sorted(exports)), thorough)
    with _lock:
        library = _libraries.get(key)
        if library is None:
            library = load_object(kept_object(text, thorough), symbols, exports, text, thorough)
            _libraries[key] = library
        return library


def kept_object(text: str, thorough: bool = False) -> bytes:
    """What `compile_object` gives, from the disk cache where it was made before: 0.1 ms, and no LLVM.

    >>> kept_object("define void @nothing() { ret void }") == kept_object("define void @nothing() { ret void }")
    True
    """
    return disk_cache.fetch(("object code", _PASSES, target_key(), str(thorough), text), lambda: compile_object(text, thorough))


def compile_object(text: str, thorough: bool = False) -> bytes:
    """Object code for the host from LLVM IR text; `thorough` as in `compile_module`.  Raises LoweringError where the text does not parse or verify.

    >>> len(compile_object("define void @nothing() { ret void }")) > 0
    True
    """
    with _lock:
        return _machine().emit_object(_optimised(text, thorough))


def load_object(
    object_code: bytes, symbols: dict[str, int], exports: list[str], text: str | None = None, thorough: bool = False
) -> Library:
    """Link object code made by `compile_object`, here or in an earlier process with an equal `target_key()`.

    Raises LoweringError for an undefined symbol or bytes that are no object file.

    >>> code = compile_object("define i32 @two() { ret i32 2 }")
    >>> load_object(code, {}, ["two"]).address("two") > 0
    True
    """
    if elf.SUPPORTED:
        try:
            return Library(elf.link(object_code, symbols, exports), None, object_code, text, thorough)
        except elf.Unlinkable:  # LLVM knows more kinds of relocations, and what is wrong where something is
            pass
    return _load_by_llvm(object_code, symbols, exports, text, thorough)


def _load_by_llvm(object_code: bytes, symbols: dict[str, int], exports: list[str], text: str | None, thorough: bool) -> Library:
    import llvmlite.binding as llvm

    with _lock:
        builder = llvm.JITLibraryBuilder().add_object_img(object_code).add_current_process()
        for name, address in symbols.items():
            builder.import_symbol(name, address)
        for name in exports:
            builder.export_symbol(name)
        jit = _jit()
        try:
            tracker = builder.link(jit, f"tracejit{next(_serial)}")
        except RuntimeError as error:
            declared = [line for line in (text or "").splitlines() if line.startswith("declare") and "@llvm." not in line]
            raise LoweringError("\n".join([f"linking failed, is one of its imports undefined? {error}", *declared])) from error
        return Library(tracker, jit, object_code, text, thorough)


def lanes(itemsize: int) -> int:
    """How many elements of `itemsize` bytes one native vector holds; TRACEJIT_VECTOR_BYTES overrides the width of the vector.

    >>> lanes(4) == 2 * lanes(8)
    True
    """
    return max(1, vector_bytes() // itemsize)


def vector_bytes() -> int:
    """The width of a native vector: 64 bytes with AVX-512, 32 with AVX2, 16 elsewhere (SSE2, NEON)."""
    override = os.environ.get("TRACEJIT_VECTOR_BYTES")
    if override is not None:
        width = int(override)
        if width <= 0 or width & (width - 1):
            raise ValueError(f"TRACEJIT_VECTOR_BYTES must be a power of two, not {override!r}")
        return width
    return _native_vector_bytes()


def target_key() -> str:
    """What object code depends on besides its text: triple, processor, features, and versions of llvmlite and LLVM."""
    return "|".join(host())


def _native_vector_bytes() -> int:
    if host().has("avx512f"):
        return 64
    return 32 if host().has("avx2") else 16


@cache
def _machine():
    """The target machine of the process."""
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(cpu=host().processor, features=host().features, opt=2, reloc="pic", codemodel="default")


@cache
def _jit():
    """The JIT of the process: each library is a dylib of its own in it."""
    import llvmlite.binding as llvm

    return llvm.create_lljit_compiler(_machine(), use_jit_link=True, suppress_errors=True)


@cache
def _layout() -> str:
    return str(_machine().target_data)


def _optimised(text: str, thorough: bool):
    """Parse, verify and simplify; `thorough` with inlining, promotion to registers across calls, and vectors for scalar loops.

    Each module has a context of its own, so that its types and constants are freed with it.
    """
    import llvmlite.binding as llvm

    machine = _machine()
    try:
        module = llvm.parse_assembly(text, llvm.create_context())
        module.verify()
    except RuntimeError as error:
        raise LoweringError(f"LLVM rejected a module: {error}\n{_numbered(text)}") from error
    module.triple = machine.triple
    module.data_layout = _layout()
    if thorough:
        options = llvm.create_pipeline_tuning_options(speed_level=3)
        options.loop_vectorization = True
        builder = llvm.create_pass_builder(machine, options)
        builder.getModulePassManager().run(module, builder)
        return module
    simplify(module, machine)
    return module


def simplify(module, machine) -> None:
    """The passes that code of ours needs, which is written for the target as it is to be."""
    import llvmlite.binding as llvm

    passes = llvm.create_new_module_pass_manager()
    passes.add_sroa_pass()
    passes.add_instruction_combine_pass()
    passes.add_simplify_cfg_pass()
    passes.add_strip_dead_prototype_pass()
    passes.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options()))


def _numbered(text: str) -> str:
    return "\n".join(f"{number:5d}  {line}" for number, line in enumerate(text.splitlines(), 1))
