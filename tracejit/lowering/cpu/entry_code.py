"""The machine code that every native entry shares: a walker of argument trees and a builder of result trees, in LLVM IR.

An entry is data.  `table.py` writes a table of 8-byte words for each signature, made of the records in `LAYOUT`, and the functions here and in
`entry_arguments.py`, `entry_watches.py`, `entry_results.py` and `pool.py` follow it.  They are compiled once; their text is constant and embeds no
address, so the disk cache keeps their object code.  Against straight-line code generated for each signature this costs about 1 ns a node in a call,
and makes an entry of ten leaves in 0.15 ms instead of several.

One call has a frame of words, on the stack unless it is large:

    slots      data pointers: argument leaves, captured arrays, result leaves; what the native program gets
    objects    the references that this call owns: argument leaves, result leaves; null until there is one, given up at the end whatever happened
    cells      16 bytes each, for integers unpacked from arguments and for 0-d results

Offsets into it are in the table.  Only a miss asks whether a Python error was the cause, and raises that.
"""
from .. import disk_cache
from . import abi, entry_arguments, entry_dispatch, entry_results, entry_watches, pool
from .fields import expand, words
from .llvm import target_key

LAYOUT = entry_arguments.LAYOUT | entry_results.LAYOUT | entry_watches.LAYOUT | {
    "Signature": words(
        "argument_count", "keyword_count", "keywords", "watch_count", "watches", "miss", "frame_size", "objects", "object_count",
        "captured_slots", "captured_count", "captured", "array_count", "arrays", "scalar_count", "scalars", "program", "releases_gil", "guard",
        "result", "arguments",
    ),
}  # fmt: skip
"""The records of a table.  `arguments` stands for as many words as are needed; those passed by keyword come last, in the order of `keywords`."""

EXPORTS = ("enter", *pool.EXPORTS, *entry_arguments.EXPORTS, *entry_results.EXPORTS, *entry_watches.EXPORTS, *entry_dispatch.EXPORTS)

STACK_LIMIT = 16 * 1024
"""A larger frame (several hundred leaves) is allocated, since threads may have small stacks."""

_CONSTANTS = {
    "STACK_LIMIT": STACK_LIMIT,
    "REGULAR": abi.C_CONTIGUOUS | abi.ALIGNED,
    "CARRAY": abi.C_CONTIGUOUS | abi.ALIGNED | abi.WRITEABLE,
    "OWNDATA": abi.OWNDATA,
    "FOREIGN_ORDER": abi.FOREIGN_ORDER,
}

_TEXT = """
declare void @Py_IncRef(ptr)
declare void @Py_DecRef(ptr)
declare ptr @PyErr_Occurred()
declare ptr @PyErr_NoMemory()
declare ptr @PyMem_Malloc(i64)
declare void @PyMem_Free(ptr)
declare ptr @PyEval_SaveThread()
declare void @PyEval_RestoreThread(ptr)
define ptr @enter(ptr %self, ptr %arguments, i64 %count, ptr %names) {   ; METH_FASTCALL | METH_KEYWORDS; self is the table, an ndarray
  %table = get ptr, %self, PyArrayObject.data
  %keywords = call i64 @keyword_count(ptr %names)
  %passed = add i64 %count, %keywords
  %wanted = get i64, %table, Signature.argument_count
  %wanted_keywords = get i64, %table, Signature.keyword_count
  %as_many = icmp eq i64 %passed, %wanted
  %as_many_keywords = icmp eq i64 %keywords, %wanted_keywords
  %right = and i1 %as_many, %as_many_keywords
  br i1 %right, label %name, label %refuse
name:
  %named = call i1 @same_names(ptr %table, ptr %names, i64 %keywords)
  br i1 %named, label %place, label %refuse
refuse:
  %miss = get ptr, %table, Signature.miss
  call void @Py_IncRef(ptr %miss)
  ret ptr %miss
place:
  %size = get i64, %table, Signature.frame_size
  %small = icmp ule i64 %size, STACK_LIMIT
  br i1 %small, label %stack, label %heap
stack:
  %near = alloca i8, i64 %size, align 16
  %quick = call ptr @serve(ptr %table, ptr %arguments, ptr %near)
  ret ptr %quick
heap:
  %far = call ptr @PyMem_Malloc(i64 %size)
  %failed = icmp eq ptr %far, null
  br i1 %failed, label %no_memory, label %large
no_memory:
  %null = call ptr @PyErr_NoMemory()
  ret ptr null
large:
  %slow = call ptr @serve(ptr %table, ptr %arguments, ptr %far)
  call void @PyMem_Free(ptr %far)
  ret ptr %slow
}

define internal i64 @keyword_count(ptr %names) {          ; a tuple, or null
  %none = icmp eq ptr %names, null
  br i1 %none, label %zero, label %some
zero:
  ret i64 0
some:
  %size = get i64, %names, PyVarObject.size
  ret i64 %size
}

define internal i1 @same_names(ptr %table, ptr %names, i64 %count) {       ; the very strings: names in source code are interned
  %wanted_names = get ptr, %table, Signature.keywords
  br label %test
test:
  %i = phi i64 [ 0, %0 ], [ %after, %next ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %next, label %yes
next:
  %items = at %names, PyTupleObject.items
  %name_place = getelementptr ptr, ptr %items, i64 %i
  %name = load ptr, ptr %name_place
  %wanted_place = getelementptr ptr, ptr %wanted_names, i64 %i
  %wanted = load ptr, ptr %wanted_place
  %same = icmp eq ptr %name, %wanted
  %after = add i64 %i, 1
  br i1 %same, label %test, label %no
yes:
  ret i1 true
no:
  ret i1 false
}

define internal ptr @serve(ptr %table, ptr %arguments, ptr %frame) {
  %objects_offset = get i64, %table, Signature.objects
  %objects = getelementptr i8, ptr %frame, i64 %objects_offset
  %object_count = get i64, %table, Signature.object_count
  %object_bytes = mul i64 %object_count, 8
  call void @llvm.memset.p0.i64(ptr %objects, i8 0, i64 %object_bytes, i1 false)
  %nodes = at %table, Signature.arguments
  %count = get i64, %table, Signature.argument_count
  %taken = call i1 @take_each(ptr %nodes, ptr %arguments, i64 %count, ptr %frame)
  br i1 %taken, label %look, label %refuse
look:                                                    ; after the arguments: to take a registered container runs Python code
  %watches = get ptr, %table, Signature.watches
  %watch_count = get i64, %table, Signature.watch_count
  %unchanged = call i1 @watch_each(ptr %watches, i64 %watch_count)
  br i1 %unchanged, label %prepare, label %refuse
prepare:
  %prepared = call i1 @prepare(ptr %table, ptr %frame)
  br i1 %prepared, label %start, label %refuse
start:
  %status = call i64 @run(ptr %table, ptr %frame)
  %well = icmp eq i64 %status, 0
  br i1 %well, label %ask, label %refuse
ask:
  %guard_offset = get i64, %table, Signature.guard
  %unguarded = icmp eq i64 %guard_offset, 0
  br i1 %unguarded, label %box, label %guard
guard:
  %guard_place = getelementptr i8, ptr %frame, i64 %guard_offset
  %answer_byte = load i8, ptr %guard_place
  %holds = icmp ne i8 %answer_byte, 0
  br i1 %holds, label %box, label %refuse
box:
  %boxed = call i1 @box_scalars(ptr %table, ptr %frame)
  br i1 %boxed, label %build, label %refuse
build:
  %result_node = get ptr, %table, Signature.result
  %result = call ptr @give(ptr %result_node, ptr %frame)
  br label %leave
refuse:                                                  ; a mismatch, a status, or a Python error
  %error = call ptr @PyErr_Occurred()
  %raised = icmp ne ptr %error, null
  br i1 %raised, label %leave, label %decline
decline:
  %miss = get ptr, %table, Signature.miss
  call void @Py_IncRef(ptr %miss)
  br label %leave
leave:
  %answer = phi ptr [ %result, %build ], [ null, %refuse ], [ %miss, %decline ]
  call void @release(ptr %objects, i64 %object_count)
  ret ptr %answer
}

define internal i64 @run(ptr %table, ptr %slots) {         ; the slots are the frame's first words
  %program = get ptr, %table, Signature.program
  %releases = get i64, %table, Signature.releases_gil
  %keeps = icmp eq i64 %releases, 0
  br i1 %keeps, label %held, label %free
held:
  %status = call i64 %program(ptr %slots)
  ret i64 %status
free:
  %thread = call ptr @PyEval_SaveThread()
  %long_status = call i64 %program(ptr %slots)
  call void @PyEval_RestoreThread(ptr %thread)
  ret i64 %long_status
}

define internal void @release(ptr %objects, i64 %count) {
  br label %test
test:
  %i = phi i64 [ 0, %0 ], [ %after, %next ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %look, label %leave
look:
  %place = getelementptr ptr, ptr %objects, i64 %i
  %object = load ptr, ptr %place
  %empty = icmp eq ptr %object, null
  br i1 %empty, label %next, label %drop
drop:
  call void @Py_DecRef(ptr %object)
  br label %next
next:
  %after = add i64 %i, 1
  br label %test
leave:
  ret void
}
"""


def text() -> str:
    """The whole module as LLVM IR: the same text on every machine with the same byte order and operating system."""
    constants = _CONSTANTS | pool.CONSTANTS | entry_results.CONSTANTS
    parts = [pool.TEXT, _TEXT, entry_arguments.TEXT, entry_results.TEXT, entry_watches.TEXT, entry_dispatch.TEXT]
    return expand("".join(parts), abi.LAYOUT | pool.LAYOUT | LAYOUT, constants)


def object_code() -> bytes:
    """The module compiled for this machine, without optimisation.

    At level 0 LLVM takes 10 ms for it and at level 2 it takes 50, nearly all in a fixed cost for each of 40 functions.  Calls are equally fast
    (90 ns for one small array), since their time goes into CPython's and NumPy's own functions.  The disk cache keeps it.
    """
    written = text()
    return disk_cache.fetch(("entry", target_key(), written), lambda: _compile(written))


def _compile(written: str) -> bytes:
    import llvmlite.binding as llvm

    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    machine = target.create_target_machine(cpu=llvm.get_host_cpu_name(), opt=0, reloc="pic", codemodel="default")
    module = llvm.parse_assembly(written, llvm.create_context())
    module.verify()
    module.triple = machine.triple
    module.data_layout = str(machine.target_data)
    return machine.emit_object(module)
