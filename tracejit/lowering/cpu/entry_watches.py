"""The entry's machine code for watches: is what the compiled function reads besides its arguments still what it was?

One function `i1 watch_*(node)` for each kind of `specs.Watch`, true if nothing has changed.  Objects are compared by identity, and the table keeps
alive what it compares with.  A look costs 1 ns for a closure cell and 5 to 10 for a global, where Python takes 50; 4 KiB of an array take 40.
"""
from .fields import words

LAYOUT = {"Watch": words("function", "container", "key", "value")}
"""`value` is null where nothing may be there; of a length it is the number."""

EXPORTS = ("watch_cell", "watch_dict", "watch_attribute", "watch_item", "watch_list_length", "watch_dict_length", "watch_contents")

TEXT = """
declare ptr @PyObject_GetAttr(ptr, ptr)
declare void @PyErr_Clear()
declare i32 @memcmp(ptr, ptr, i64)

define internal i1 @watch_each(ptr %nodes, i64 %count) {
  br label %test
test:
  %i = phi i64 [ 0, %0 ], [ %after, %next ]
  %more = icmp ult i64 %i, %count
  br i1 %more, label %next, label %yes
next:
  %node_place = getelementptr ptr, ptr %nodes, i64 %i
  %node = load ptr, ptr %node_place
  %function = get ptr, %node, Node.function
  %same = call i1 %function(ptr %node)
  %after = add i64 %i, 1
  br i1 %same, label %test, label %no
yes:
  ret i1 true
no:
  ret i1 false
}

define i1 @watch_cell(ptr %node) {
  %cell = get ptr, %node, Watch.container
  %found = get ptr, %cell, PyCellObject.ref
  %value = get ptr, %node, Watch.value
  %same = icmp eq ptr %found, %value
  ret i1 %same
}

define i1 @watch_dict(ptr %node) {
  %dict = get ptr, %node, Watch.container
  %key = get ptr, %node, Watch.key
  %value = get ptr, %node, Watch.value
  %found = call ptr @PyDict_GetItemWithError(ptr %dict, ptr %key)
  %same = icmp eq ptr %found, %value
  %absent = icmp eq ptr %found, null
  br i1 %absent, label %ask, label %leave
ask:                                                     ; another key of the same hash may have refused to be compared
  %error = call ptr @PyErr_Occurred()
  %well = icmp eq ptr %error, null
  %agreed = and i1 %well, %same
  ret i1 %agreed
leave:
  ret i1 %same
}

define i1 @watch_attribute(ptr %node) {
  %object = get ptr, %node, Watch.container
  %name = get ptr, %node, Watch.key
  %found = call ptr @PyObject_GetAttr(ptr %object, ptr %name)
  %absent = icmp eq ptr %found, null
  br i1 %absent, label %clear, label %compare
clear:                                                   ; what reads it will say so
  call void @PyErr_Clear()
  ret i1 false
compare:
  call void @Py_DecRef(ptr %found)                       ; only its address is compared
  %value = get ptr, %node, Watch.value
  %same = icmp eq ptr %found, %value
  ret i1 %same
}

define i1 @watch_item(ptr %node) {                        ; of a list, at the place `key`
  %list = get ptr, %node, Watch.container
  %place = get i64, %node, Watch.key
  %size = get i64, %list, PyVarObject.size
  %there = icmp ult i64 %place, %size
  br i1 %there, label %compare, label %no
compare:
  %items = get ptr, %list, PyListObject.items
  %item_place = getelementptr ptr, ptr %items, i64 %place
  %found = load ptr, ptr %item_place
  %value = get ptr, %node, Watch.value
  %same = icmp eq ptr %found, %value
  ret i1 %same
no:
  ret i1 false
}

define i1 @watch_list_length(ptr %node) {
  %list = get ptr, %node, Watch.container
  %size = get i64, %list, PyVarObject.size
  %value = get i64, %node, Watch.value
  %same = icmp eq i64 %size, %value
  ret i1 %same
}

define i1 @watch_dict_length(ptr %node) {
  %dict = get ptr, %node, Watch.container
  %used = get i64, %dict, PyDictObject.used
  %value = get i64, %node, Watch.value
  %same = icmp eq i64 %used, %value
  ret i1 %same
}

define i1 @watch_contents(ptr %node) {                    ; of a C-ordered array: the `key` bytes at `value`
  %array = get ptr, %node, Watch.container
  %now = get ptr, %array, PyArrayObject.data
  %bytes = get i64, %node, Watch.key
  %then = get ptr, %node, Watch.value
  %order = call i32 @memcmp(ptr %now, ptr %then, i64 %bytes)
  %same = icmp eq i32 %order, 0
  ret i1 %same
}
"""
