"""Ufuncs of text and dates (`np.strings.find`, `np.isnat`) while a function is traced.

Text and dates are never traced: where a traced function uses them NumPy computes with them at once, and the results are constants of the program.
Traced numbers among the arguments, such as the place at which `np.strings.find` begins, must be known while tracing.
"""
from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from ..errors import at_user_line
from ..trace import Tracer
from .register import operator, static

_OF_TEXT = """_center _expandtabs _expandtabs_length _ljust _lstrip_chars _lstrip_whitespace _partition _partition_index _replace _rjust _rpartition
              _rpartition_index _rstrip_chars _rstrip_whitespace _slice _strip_chars _strip_whitespace _zfill count endswith find index isalnum
              isalpha isdecimal isdigit islower isnumeric isspace istitle isupper rfind rindex startswith str_len"""
WORKS_ON = dict.fromkeys(_OF_TEXT.split(), "text") | {"isnat": "dates"}


@operator("ufunc of text")
def of_text(ufunc: np.ufunc) -> Callable | None:
    """How a ufunc of text or dates is called; None for the others."""
    return functools.partial(_called, ufunc) if ufunc.__name__ in WORKS_ON else None


def _called(ufunc: np.ufunc, *operands, **options):
    name = ufunc.__name__
    if type(operands[0]) is Tracer:
        raise TypeError(at_user_line(f"the ufunc {name} has no traced form: it works on {WORKS_ON[name]}, and traced values are numbers"))
    return ufunc(*[static(x, f"np.strings.{name}", f"argument {i}") for i, x in enumerate(operands)], **options)
