"""Three pseudo-instructions that name the field of a struct in hand-written LLVM IR.

    %rank = get i32, %array, PyArrayObject.nd          load it
    set i32 %rank, %array, PyArrayObject.nd            store it
    %dims = at %node, ArrayLeaf.dims                   its address

`expand` rewrites each into plain IR.  `words` lays out the records that tracejit itself writes for that code to read: one 8-byte word a field.
"""
import re
from collections.abc import Mapping

_INSTRUCTION = re.compile(r"^( *)(?:(%[\w.]+) = )?(get|set|at) (?:([^,\n]+), )?(%[\w.]+), (\w+)\.(\w+)", re.MULTILINE)
_CONSTANT = re.compile(r"\b[A-Z][A-Z_]+\b")


def words(*fields: str) -> dict[str, int]:
    """The offset of each field of a record of 8-byte words.

    >>> words("function", "value")
    {'function': 0, 'value': 8}
    """
    return {name: 8 * place for place, name in enumerate(fields)}


def expand(text: str, layouts: Mapping[str, Mapping[str, int]], constants: Mapping[str, int]) -> str:
    """The IR with every pseudo-instruction written out and every constant (a name in capitals) replaced; KeyError for a field that no layout has.

    >>> print(expand("  %v = get i64, %node, Exact.value\\n  %w = add i64 %v, STEP", {"Exact": words("function", "value")}, {"STEP": 3}))
      %field.1 = getelementptr i8, ptr %node, i64 8
      %v = load i64, ptr %field.1
      %w = add i64 %v, 3
    """
    serial = 0

    def plain(match: re.Match) -> str:
        nonlocal serial
        indent, target, verb, operand, base, record, field = match.groups()
        place = f"getelementptr i8, ptr {base}, i64 {layouts[record][field]}"
        if verb == "at":
            return f"{indent}{target} = {place}"
        serial += 1
        access = f"{target} = load {operand}, ptr %field.{serial}" if verb == "get" else f"store {operand}, ptr %field.{serial}"
        return f"{indent}%field.{serial} = {place}\n{indent}{access}"

    return _CONSTANT.sub(lambda match: str(constants.get(match[0], match[0])), _INSTRUCTION.sub(plain, text))
