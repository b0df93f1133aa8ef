"""The entry's machine code for results: make what the native program will fill, and afterwards the tree that the caller gets.

    i1   prepare_*(node, frame)     before the program: an array for one result leaf, its data in the leaf's slot; false with MemoryError set
    ptr  give_*(node, frame)        after it: a new reference to the object that a node describes, or null with an exception set

New arrays are the frame's until the end of the call, and the tree has references of its own: whatever fails, giving up what the frame holds is
enough.
"""
from .fields import words

LAYOUT = {
    "NewArray": words("function", "slot", "object", "type", "descr", "rank", "dims", "size", "pool", "handler"),
    "NewScalar": words("slot", "object", "cell", "descr"),
    "FrameObject": words("function", "object"),
    "Known": words("function", "value"),
    "NewDict": words("function", "template", "count", "pairs"),
    "NewRegistered": words("function", "convert", "metadata", "children"),
}
"""Tuples, named tuples and lists are `Items`, as among arguments; `pairs` stands for as many words as are needed."""

EXPORTS = ("prepare_array", "prepare_pooled", "give_object", "give_known", "give_tuple", "give_list", "give_named", "give_dict", "give_registered")

CONSTANTS = {"TRACE_DOMAIN": 389047}  # numpy.lib.tracemalloc_domain

TEXT = """
declare ptr @PyTuple_New(i64)
declare ptr @PyList_New(i64)
declare ptr @PyDict_Copy(ptr)
declare i32 @PyDict_SetItem(ptr, ptr, ptr)
declare ptr @PyType_GenericAlloc(ptr, i64)
declare i32 @PyTraceMalloc_Track(i32, i64, i64)
declare ptr @PyArray_NewFromDescr(ptr, ptr, i32, ptr, ptr, ptr, i32, ptr)
declare ptr @PyArray_Scalar(ptr, ptr, ptr)
declare void @llvm.memcpy.p0.p0.i64(ptr, ptr, i64, i1)
; ---- between arguments and results: every slot that is not an argument's, every array that the program will fill

define internal i1 @prepare(ptr %table, ptr %frame) {
  %slots_offset = get i64, %table, Signature.captured_slots
  %slots = getelementptr i8, ptr %frame, i64 %slots_offset
  %captured = get ptr, %table, Signature.captured
  %captured_count = get i64, %table, Signature.captured_count
  %captured_bytes = mul i64 %captured_count, 8
  call void @llvm.memcpy.p0.p0.i64(ptr %slots, ptr %captured, i64 %captured_bytes, i1 false)
  %scalars = get ptr, %table, Signature.scalars
  %scalar_count = get i64, %table, Signature.scalar_count
  br label %scalar_test
scalar_test:
  %s = phi i64 [ 0, %0 ], [ %s_after, %scalar_next ]
  %more_scalars = icmp ult i64 %s, %scalar_count
  br i1 %more_scalars, label %scalar_next, label %arrays
scalar_next:
  %scalar_place = getelementptr ptr, ptr %scalars, i64 %s
  %scalar = load ptr, ptr %scalar_place
  %cell_offset = get i64, %scalar, NewScalar.cell
  %cell = getelementptr i8, ptr %frame, i64 %cell_offset
  %slot_offset = get i64, %scalar, NewScalar.slot
  %slot = getelementptr i8, ptr %frame, i64 %slot_offset
  store ptr %cell, ptr %slot
  %s_after = add i64 %s, 1
  br label %scalar_test
arrays:
  %nodes = get ptr, %table, Signature.arrays
  %count = get i64, %table, Signature.array_count
  br label %test
test:
  %i = phi i64 [ 0, %arrays ], [ %after, %next ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %next, label %yes
next:
  %node_place = getelementptr ptr, ptr %nodes, i64 %i
  %node = load ptr, ptr %node_place
  %function = get ptr, %node, Node.function
  %made = call i1 %function(ptr %node, ptr %frame)
  %after = add i64 %i, 1
  br i1 %made, label %test, label %no
yes:
  ret i1 true
no:
  ret i1 false
}

define internal ptr @new_array(ptr %node, ptr %data, i32 %flags, ptr %frame) {     ; over null data NumPy allocates
  %type = get ptr, %node, NewArray.type
  %descr = get ptr, %node, NewArray.descr
  %rank_word = get i64, %node, NewArray.rank
  %rank = trunc i64 %rank_word to i32
  %dims = get ptr, %node, NewArray.dims
  call void @Py_IncRef(ptr %descr)                                 ; NewFromDescr takes this reference, even where it fails
  %array = call ptr @PyArray_NewFromDescr(ptr %type, ptr %descr, i32 %rank, ptr %dims, ptr null, ptr %data, i32 %flags, ptr null)
  %failed = icmp eq ptr %array, null
  br i1 %failed, label %leave, label %record
record:
  %object_offset = get i64, %node, NewArray.object
  %object_place = getelementptr i8, ptr %frame, i64 %object_offset
  store ptr %array, ptr %object_place
  %address = get ptr, %array, PyArrayObject.data
  %slot_offset = get i64, %node, NewArray.slot
  %slot = getelementptr i8, ptr %frame, i64 %slot_offset
  store ptr %address, ptr %slot
  br label %leave
leave:
  ret ptr %array
}

define i1 @prepare_array(ptr %node, ptr %frame) {
  %array = call ptr @new_array(ptr %node, ptr null, i32 0, ptr %frame)
  %made = icmp ne ptr %array, null
  ret i1 %made
}

define i1 @prepare_pooled(ptr %node, ptr %frame) {                  ; an array that owns data from the pool
  %pool = get ptr, %node, NewArray.pool
  %size = get i64, %node, NewArray.size
  %data = call ptr @pool_allocate(ptr %pool, i64 %size)
  %exhausted = icmp eq ptr %data, null
  br i1 %exhausted, label %no_memory, label %wrap
no_memory:
  %null = call ptr @PyErr_NoMemory()
  ret i1 false
wrap:
  %array = call ptr @new_array(ptr %node, ptr %data, i32 CARRAY, ptr %frame)
  %failed = icmp eq ptr %array, null
  br i1 %failed, label %undo, label %own
undo:
  call void @pool_free(ptr %pool, ptr %data, i64 %size)
  ret i1 false
own:
  %handler = get ptr, %node, NewArray.handler
  call void @Py_IncRef(ptr %handler)
  set ptr %handler, %array, PyArrayObject.mem_handler
  %flags = get i32, %array, PyArrayObject.flags
  %owning = or i32 %flags, OWNDATA
  set i32 %owning, %array, PyArrayObject.flags
  %address = ptrtoint ptr %data to i64
  %ignored = call i32 @PyTraceMalloc_Track(i32 TRACE_DOMAIN, i64 %address, i64 %size)      ; as NumPy does; untracked where it frees
  ret i1 true
}
; ---- results

define internal i1 @box_scalars(ptr %table, ptr %frame) {           ; 0-d results become NumPy scalars
  %nodes = get ptr, %table, Signature.scalars
  %count = get i64, %table, Signature.scalar_count
  br label %test
test:
  %i = phi i64 [ 0, %0 ], [ %after, %next ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %next, label %yes
next:
  %node_place = getelementptr ptr, ptr %nodes, i64 %i
  %node = load ptr, ptr %node_place
  %cell_offset = get i64, %node, NewScalar.cell
  %cell = getelementptr i8, ptr %frame, i64 %cell_offset
  %descr = get ptr, %node, NewScalar.descr
  %object = call ptr @PyArray_Scalar(ptr %cell, ptr %descr, ptr null)
  %object_offset = get i64, %node, NewScalar.object
  %object_place = getelementptr i8, ptr %frame, i64 %object_offset
  store ptr %object, ptr %object_place
  %failed = icmp eq ptr %object, null
  %after = add i64 %i, 1
  br i1 %failed, label %no, label %test
yes:
  ret i1 true
no:
  ret i1 false
}

define internal ptr @give(ptr %node, ptr %frame) {
  %function = get ptr, %node, Node.function
  %object = call ptr %function(ptr %node, ptr %frame)
  ret ptr %object
}

define ptr @give_object(ptr %node, ptr %frame) {                      ; a new array or scalar, or an argument
  %offset = get i64, %node, FrameObject.object
  %place = getelementptr i8, ptr %frame, i64 %offset
  %object = load ptr, ptr %place
  call void @Py_IncRef(ptr %object)
  ret ptr %object
}

define ptr @give_known(ptr %node, ptr %frame) {
  %object = get ptr, %node, Known.value
  call void @Py_IncRef(ptr %object)
  ret ptr %object
}

define internal ptr @give_each(ptr %node, ptr %container, ptr %items, ptr %frame) {      ; fills it and returns it, or drops it and returns null
  %count = get i64, %node, Items.count
  %children = at %node, Items.children
  br label %test
test:
  %i = phi i64 [ 0, %0 ], [ %after, %store ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %next, label %full
next:
  %child_place = getelementptr ptr, ptr %children, i64 %i
  %child = load ptr, ptr %child_place
  %object = call ptr @give(ptr %child, ptr %frame)
  %failed = icmp eq ptr %object, null
  br i1 %failed, label %undo, label %store
store:
  %item_place = getelementptr ptr, ptr %items, i64 %i
  store ptr %object, ptr %item_place
  %after = add i64 %i, 1
  br label %test
undo:
  call void @Py_DecRef(ptr %container)
  ret ptr null
full:
  ret ptr %container
}

define ptr @give_tuple(ptr %node, ptr %frame) {
  %count = get i64, %node, Items.count
  %tuple = call ptr @PyTuple_New(i64 %count)
  %failed = icmp eq ptr %tuple, null
  br i1 %failed, label %no, label %fill
fill:
  %items = at %tuple, PyTupleObject.items
  %full = call ptr @give_each(ptr %node, ptr %tuple, ptr %items, ptr %frame)
  ret ptr %full
no:
  ret ptr null
}

define ptr @give_named(ptr %node, ptr %frame) {                     ; as tuple.__new__ makes an instance of a subclass
  %type = get ptr, %node, Items.type
  %count = get i64, %node, Items.count
  %tuple = call ptr @PyType_GenericAlloc(ptr %type, i64 %count)
  %failed = icmp eq ptr %tuple, null
  br i1 %failed, label %no, label %fill
fill:
  %items = at %tuple, PyTupleObject.items
  %full = call ptr @give_each(ptr %node, ptr %tuple, ptr %items, ptr %frame)
  ret ptr %full
no:
  ret ptr null
}

define ptr @give_list(ptr %node, ptr %frame) {
  %count = get i64, %node, Items.count
  %list = call ptr @PyList_New(i64 %count)
  %failed = icmp eq ptr %list, null
  br i1 %failed, label %no, label %fill
fill:
  %items = get ptr, %list, PyListObject.items
  %full = call ptr @give_each(ptr %node, ptr %list, ptr %items, ptr %frame)
  ret ptr %full
no:
  ret ptr null
}

define ptr @give_dict(ptr %node, ptr %frame) {                      ; a copy of a dict with the keys in place, filled
  %template = get ptr, %node, NewDict.template
  %count = get i64, %node, NewDict.count
  %pairs = at %node, NewDict.pairs
  %dict = call ptr @PyDict_Copy(ptr %template)
  %failed = icmp eq ptr %dict, null
  br i1 %failed, label %no, label %test
test:
  %i = phi i64 [ 0, %0 ], [ %after, %store ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %next, label %full
next:
  %pair = getelementptr %Pair, ptr %pairs, i64 %i
  %child = get ptr, %pair, Pair.child
  %object = call ptr @give(ptr %child, ptr %frame)
  %lost = icmp eq ptr %object, null
  br i1 %lost, label %undo, label %store
store:
  %key = get ptr, %pair, Pair.key
  %status = call i32 @PyDict_SetItem(ptr %dict, ptr %key, ptr %object)
  call void @Py_DecRef(ptr %object)                                ; the dict has its own
  %stored = icmp eq i32 %status, 0
  %after = add i64 %i, 1
  br i1 %stored, label %test, label %undo
undo:
  call void @Py_DecRef(ptr %dict)
  br label %no
no:
  ret ptr null
full:
  ret ptr %dict
}

define ptr @give_registered(ptr %node, ptr %frame) {                ; what its unflatten function makes of (metadata, children)
  %children_node = get ptr, %node, NewRegistered.children
  %children = call ptr @give(ptr %children_node, ptr %frame)
  %failed = icmp eq ptr %children, null
  br i1 %failed, label %no, label %make
make:
  %arguments = alloca [2 x ptr]
  %metadata = get ptr, %node, NewRegistered.metadata
  store ptr %metadata, ptr %arguments
  %second = getelementptr ptr, ptr %arguments, i64 1
  store ptr %children, ptr %second
  %convert = get ptr, %node, NewRegistered.convert
  %object = call ptr @PyObject_Vectorcall(ptr %convert, ptr %arguments, i64 2, ptr null)
  call void @Py_DecRef(ptr %children)
  ret ptr %object
no:
  ret ptr null
}
"""
