"""The entry's machine code for arguments: does an object match a node, and where is its data?

One function `i1 take_*(node, object, frame)` for each kind of spec, true for a match.  A leaf that matches has its slot pointed at its data and its
object held.  The first word of a node is the address of its function, so a walk is a chain of well-predicted indirect calls.

References: a leaf is held for the whole call, since the program may run without the GIL.  An item of a list or dict is held while it is walked,
since looking up the next key can run Python code (a key's `__eq__`) that empties the container; a tuple keeps its items by itself.
"""
from .fields import words

LAYOUT = {
    "Node": words("function"),
    "Leaf": words("function", "type", "slot", "object"),
    "IntLeaf": words("function", "type", "slot", "object", "cell"),
    "BoolLeaf": words("function", "type", "slot", "object", "true"),
    "ArrayLeaf": words("function", "type", "slot", "object", "scalar_type", "descr", "type_num", "twin_num", "copies", "rank", "dims"),
    "Items": words("function", "type", "count", "children"),
    "Keyed": words("function", "type", "count", "pairs"),
    "Pair": words("key", "child"),
    "Exact": words("function", "type", "value"),
    "Registered": words("function", "type", "convert", "metadata", "type_of_tuple", "count", "children"),
}
"""`dims`, `children` and `pairs` stand for as many words as are needed, at the end."""

EXPORTS = (
    "take_float", "take_int", "take_bool", "take_array", "take_number", "take_tuple", "take_list", "take_dict", "take_same", "take_equal",
    "take_bits", "take_registered",
)  # fmt: skip

TEXT = """
%Pair = type { ptr, ptr }

declare i64 @PyLong_AsLongLongAndOverflow(ptr, ptr)
declare i32 @PyObject_RichCompareBool(ptr, ptr, i32)
declare ptr @PyDict_GetItemWithError(ptr, ptr)
declare ptr @PySequence_Tuple(ptr)
declare ptr @PyArray_NewCopy(ptr, i32)
define internal i1 @take(ptr %node, ptr %object, ptr %frame) {
  %function = get ptr, %node, Node.function
  %taken = call i1 %function(ptr %node, ptr %object, ptr %frame)
  ret i1 %taken
}

define internal i1 @take_each(ptr %nodes, ptr %objects, i64 %count, ptr %frame) {
  br label %test
test:
  %i = phi i64 [ 0, %0 ], [ %after, %next ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %next, label %yes
next:
  %node_place = getelementptr ptr, ptr %nodes, i64 %i
  %node = load ptr, ptr %node_place
  %object_place = getelementptr ptr, ptr %objects, i64 %i
  %object = load ptr, ptr %object_place
  %taken = call i1 @take(ptr %node, ptr %object, ptr %frame)
  %after = add i64 %i, 1
  br i1 %taken, label %test, label %no
yes:
  ret i1 true
no:
  ret i1 false
}

define internal void @hold(ptr %leaf, ptr %object, ptr %data, ptr %frame) {
  %slot_offset = get i64, %leaf, Leaf.slot
  %slot = getelementptr i8, ptr %frame, i64 %slot_offset
  store ptr %data, ptr %slot
  %object_offset = get i64, %leaf, Leaf.object
  %object_place = getelementptr i8, ptr %frame, i64 %object_offset
  store ptr %object, ptr %object_place
  call void @Py_IncRef(ptr %object)
  ret void
}

define internal i1 @has_type(ptr %node, ptr %object) {
  %type = get ptr, %object, PyObject.type
  %wanted = get ptr, %node, Leaf.type
  %same = icmp eq ptr %type, %wanted
  ret i1 %same
}

define i1 @take_float(ptr %leaf, ptr %object, ptr %frame) {         ; and complex: the program reads the object's own value
  %right = call i1 @has_type(ptr %leaf, ptr %object)
  br i1 %right, label %yes, label %no
yes:
  %value = at %object, Number.value
  call void @hold(ptr %leaf, ptr %object, ptr %value, ptr %frame)
  ret i1 true
no:
  ret i1 false
}

define i1 @take_int(ptr %leaf, ptr %object, ptr %frame) {
  %right = call i1 @has_type(ptr %leaf, ptr %object)
  br i1 %right, label %unpack, label %no
unpack:
  %overflow = alloca i32
  %value = call i64 @PyLong_AsLongLongAndOverflow(ptr %object, ptr %overflow)
  %excess = load i32, ptr %overflow
  %fits = icmp eq i32 %excess, 0
  br i1 %fits, label %yes, label %no
yes:
  %cell_offset = get i64, %leaf, IntLeaf.cell
  %cell = getelementptr i8, ptr %frame, i64 %cell_offset
  store i64 %value, ptr %cell
  call void @hold(ptr %leaf, ptr %object, ptr %cell, ptr %frame)
  ret i1 true
no:
  ret i1 false
}

@truth = internal constant [2 x i8] c"\\00\\01"

define i1 @take_bool(ptr %leaf, ptr %object, ptr %frame) {
  %right = call i1 @has_type(ptr %leaf, ptr %object)
  br i1 %right, label %yes, label %no
yes:
  %true = get ptr, %leaf, BoolLeaf.true
  %is_true = icmp eq ptr %object, %true
  %index = zext i1 %is_true to i64
  %value = getelementptr i8, ptr @truth, i64 %index
  call void @hold(ptr %leaf, ptr %object, ptr %value, ptr %frame)
  ret i1 true
no:
  ret i1 false
}

define i1 @take_array(ptr %leaf, ptr %object, ptr %frame) {
  %right = call i1 @has_type(ptr %leaf, ptr %object)
  br i1 %right, label %array, label %no
array:
  %nd = get i32, %object, PyArrayObject.nd
  %rank = zext i32 %nd to i64
  %wanted_rank = get i64, %leaf, ArrayLeaf.rank
  %ranked = icmp eq i64 %rank, %wanted_rank
  br i1 %ranked, label %type, label %no
type:
  %descr = get ptr, %object, PyArrayObject.descr
  %wanted_descr = get ptr, %leaf, ArrayLeaf.descr
  %typical = icmp eq ptr %descr, %wanted_descr
  br i1 %typical, label %shape, label %compare
compare:
  %equal = call i1 @equal_dtype(ptr %leaf, ptr %descr)
  br i1 %equal, label %shape, label %no
shape:
  %dims = get ptr, %object, PyArrayObject.dimensions
  %wanted_dims = at %leaf, ArrayLeaf.dims
  br label %test
test:
  %i = phi i64 [ 0, %shape ], [ %after, %next ]
  %more = icmp ult i64 %i, %rank
  br i1 %more, label %next, label %order
next:
  %dim_place = getelementptr i64, ptr %dims, i64 %i
  %dim = load i64, ptr %dim_place
  %wanted_place = getelementptr i64, ptr %wanted_dims, i64 %i
  %wanted = load i64, ptr %wanted_place
  %fits = icmp eq i64 %dim, %wanted
  %after = add i64 %i, 1
  br i1 %fits, label %test, label %no
order:
  %flags = get i32, %object, PyArrayObject.flags
  %regular = and i32 %flags, REGULAR
  %direct = icmp eq i32 %regular, REGULAR
  br i1 %direct, label %yes, label %strided
yes:
  %data = get ptr, %object, PyArrayObject.data
  call void @hold(ptr %leaf, ptr %object, ptr %data, ptr %frame)
  ret i1 true
strided:                                                 ; read from a copy in C order, unless it may be handed on as a result
  %copies = get i64, %leaf, ArrayLeaf.copies
  %may = icmp ne i64 %copies, 0
  br i1 %may, label %copy, label %no
copy:
  %made = call ptr @PyArray_NewCopy(ptr %object, i32 0)
  %failed = icmp eq ptr %made, null
  br i1 %failed, label %no, label %keep
keep:
  %made_data = get ptr, %made, PyArrayObject.data
  call void @hold(ptr %leaf, ptr %made, ptr %made_data, ptr %frame)
  call void @Py_DecRef(ptr %made)
  ret i1 true
no:
  ret i1 false
}

define internal i1 @equal_dtype(ptr %leaf, ptr %descr) {           ; unpickled arrays, for one, bring their own dtype object
  %type_num = get i32, %descr, PyArray_Descr.type_num
  %number = sext i32 %type_num to i64
  %wanted = get i64, %leaf, ArrayLeaf.type_num
  %same = icmp eq i64 %number, %wanted
  %twin = get i64, %leaf, ArrayLeaf.twin_num                       ; long and long long are one type here
  %similar = icmp eq i64 %number, %twin
  %equal = or i1 %same, %similar
  %order = get i8, %descr, PyArray_Descr.byteorder
  %native = icmp ne i8 %order, FOREIGN_ORDER
  %good = and i1 %equal, %native
  ret i1 %good
}

define i1 @take_number(ptr %leaf, ptr %object, ptr %frame) {       ; a 0-d array or the NumPy scalar of its dtype
  %type = get ptr, %object, PyObject.type
  %scalar_type = get ptr, %leaf, ArrayLeaf.scalar_type
  %is_scalar = icmp eq ptr %type, %scalar_type
  br i1 %is_scalar, label %scalar, label %array
scalar:
  %value = at %object, Number.value
  call void @hold(ptr %leaf, ptr %object, ptr %value, ptr %frame)
  ret i1 true
array:
  %taken = call i1 @take_array(ptr %leaf, ptr %object, ptr %frame)
  ret i1 %taken
}

define i1 @take_tuple(ptr %node, ptr %object, ptr %frame) {         ; and named tuples
  %right = call i1 @has_type(ptr %node, ptr %object)
  br i1 %right, label %measure, label %no
measure:
  %size = get i64, %object, PyVarObject.size
  %count = get i64, %node, Items.count
  %as_many = icmp eq i64 %size, %count
  br i1 %as_many, label %walk, label %no
walk:
  %children = at %node, Items.children
  %items = at %object, PyTupleObject.items
  %taken = call i1 @take_each(ptr %children, ptr %items, i64 %count, ptr %frame)
  ret i1 %taken
no:
  ret i1 false
}

define internal i1 @take_item(ptr %node, ptr %object, ptr %frame) { ; held meanwhile
  call void @Py_IncRef(ptr %object)
  %taken = call i1 @take(ptr %node, ptr %object, ptr %frame)
  call void @Py_DecRef(ptr %object)
  ret i1 %taken
}

define i1 @take_list(ptr %node, ptr %object, ptr %frame) {
  %right = call i1 @has_type(ptr %node, ptr %object)
  br i1 %right, label %walk, label %no
walk:
  %count = get i64, %node, Items.count
  %children = at %node, Items.children
  br label %test
test:
  %i = phi i64 [ 0, %walk ], [ %after, %next ]
  %size = get i64, %object, PyVarObject.size                       ; it may have changed since the last item
  %as_many = icmp eq i64 %size, %count
  br i1 %as_many, label %again, label %no
again:
  %more = icmp ult i64 %i, %count
  br i1 %more, label %next, label %yes
next:
  %child_place = getelementptr ptr, ptr %children, i64 %i
  %child = load ptr, ptr %child_place
  %items = get ptr, %object, PyListObject.items
  %item_place = getelementptr ptr, ptr %items, i64 %i
  %item = load ptr, ptr %item_place
  %taken = call i1 @take_item(ptr %child, ptr %item, ptr %frame)
  %after = add i64 %i, 1
  br i1 %taken, label %test, label %no
yes:
  ret i1 true
no:
  ret i1 false
}

define i1 @take_dict(ptr %node, ptr %object, ptr %frame) {
  %right = call i1 @has_type(ptr %node, ptr %object)
  br i1 %right, label %measure, label %no
measure:
  %used = get i64, %object, PyDictObject.used
  %count = get i64, %node, Keyed.count
  %as_many = icmp eq i64 %used, %count
  br i1 %as_many, label %walk, label %no
walk:
  %pairs = at %node, Keyed.pairs
  br label %test
test:
  %i = phi i64 [ 0, %walk ], [ %after, %found ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %next, label %yes
next:
  %pair = getelementptr %Pair, ptr %pairs, i64 %i
  %key = get ptr, %pair, Pair.key
  %item = call ptr @PyDict_GetItemWithError(ptr %object, ptr %key)
  %missing = icmp eq ptr %item, null
  br i1 %missing, label %no, label %found
found:
  %child = get ptr, %pair, Pair.child
  %taken = call i1 @take_item(ptr %child, ptr %item, ptr %frame)
  %after = add i64 %i, 1
  br i1 %taken, label %test, label %no
yes:
  ret i1 true
no:
  ret i1 false
}

define i1 @take_same(ptr %node, ptr %object, ptr %frame) {
  %value = get ptr, %node, Exact.value
  %same = icmp eq ptr %object, %value
  ret i1 %same
}

define i1 @take_equal(ptr %node, ptr %object, ptr %frame) {         ; an int or a str: comparing exact ones runs no Python code
  %value = get ptr, %node, Exact.value
  %same = icmp eq ptr %object, %value
  br i1 %same, label %yes, label %type
type:
  %type_of = get ptr, %object, PyObject.type
  %wanted = get ptr, %node, Exact.type
  %right = icmp eq ptr %type_of, %wanted
  br i1 %right, label %compare, label %no
compare:
  %answer = call i32 @PyObject_RichCompareBool(ptr %object, ptr %value, i32 2)          ; Py_EQ
  %equal = icmp eq i32 %answer, 1
  ret i1 %equal
yes:
  ret i1 true
no:
  ret i1 false
}

define i1 @take_bits(ptr %node, ptr %object, ptr %frame) {          ; a float with the same bits: -0.0 is not 0.0, a NaN is itself
  %type_of = get ptr, %object, PyObject.type
  %wanted = get ptr, %node, Exact.type
  %right = icmp eq ptr %type_of, %wanted
  br i1 %right, label %compare, label %no
compare:
  %value = get ptr, %node, Exact.value
  %bits = get i64, %object, Number.value
  %wanted_bits = get i64, %value, Number.value
  %equal = icmp eq i64 %bits, %wanted_bits
  ret i1 %equal
no:
  ret i1 false
}

define i1 @take_registered(ptr %node, ptr %object, ptr %frame) {    ; its flatten function gives (children, metadata) or one item more
  %right = call i1 @has_type(ptr %node, ptr %object)
  br i1 %right, label %flatten, label %no
flatten:
  %argument = alloca ptr
  store ptr %object, ptr %argument
  %convert = get ptr, %node, Registered.convert
  %flat = call ptr @PyObject_Vectorcall(ptr %convert, ptr %argument, i64 1, ptr null)
  %raised = icmp eq ptr %flat, null
  br i1 %raised, label %no, label %look
look:
  %flat_type = get ptr, %flat, PyObject.type
  %wanted_type = get ptr, %node, Registered.type_of_tuple
  %is_tuple = icmp eq ptr %flat_type, %wanted_type
  br i1 %is_tuple, label %measure, label %drop
measure:
  %parts = get i64, %flat, PyVarObject.size
  %enough = icmp uge i64 %parts, 2
  br i1 %enough, label %compare, label %drop
compare:
  %items = at %flat, PyTupleObject.items
  %metadata_place = getelementptr ptr, ptr %items, i64 1
  %metadata = load ptr, ptr %metadata_place
  %wanted = get ptr, %node, Registered.metadata
  %answer = call i32 @PyObject_RichCompareBool(ptr %metadata, ptr %wanted, i32 2)       ; Py_EQ
  %equal = icmp eq i32 %answer, 1
  br i1 %equal, label %list, label %drop
list:
  %given = load ptr, ptr %items
  %children = call ptr @PySequence_Tuple(ptr %given)
  %unlisted = icmp eq ptr %children, null
  br i1 %unlisted, label %drop, label %count
count:
  %size = get i64, %children, PyVarObject.size
  %wanted_size = get i64, %node, Registered.count
  %as_many = icmp eq i64 %size, %wanted_size
  br i1 %as_many, label %walk, label %drop_children
walk:
  %nodes = at %node, Registered.children
  %objects = at %children, PyTupleObject.items
  %taken = call i1 @take_each(ptr %nodes, ptr %objects, i64 %size, ptr %frame)
  call void @Py_DecRef(ptr %children)
  call void @Py_DecRef(ptr %flat)
  ret i1 %taken
drop_children:
  call void @Py_DecRef(ptr %children)
  br label %drop
drop:
  call void @Py_DecRef(ptr %flat)
  br label %no
no:
  ret i1 false
}
"""
