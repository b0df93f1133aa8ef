"""NumPy's functions that traced values cannot pass through, each with the reason that its `TypeError` gives."""
from __future__ import annotations

from ..trace import dispatch

_TEXT = "it works on text, and traced values are numbers"
_FILES = "it reads or writes files, which happens once, while the function is traced: save the results of the compiled function instead"
_DATES = "it works on dates, and traced values are numbers"
_MEMORY = "a traced value has no memory of its own: results of compiled programs share none with each other"
_SERIES = "the other functions of numpy.polynomial cannot be overridden: use np.polyval and its kin"
_RECORDS = "it works on structured dtypes, and traced values are plain numbers"

_BY_REASON = {
    _DATES: "numpy.busday_count numpy.busday_offset numpy.datetime_as_string numpy.is_busday",
    _MEMORY: "numpy.may_share_memory numpy.shares_memory",
    _FILES: """numpy.fromfile numpy.genfromtxt numpy.loadtxt numpy.save numpy.savetxt numpy.savez numpy.savez_compressed""",
}

# By the name of a ufunc, the qualified name of a function, or a module.
REASONS: dict[str, str] = {name: reason for reason, names in _BY_REASON.items() for name in names.split()}
REASONS |= {"numpy.lib.recfunctions": _RECORDS, "numpy.polynomial.polynomial": _SERIES, "numpy.char": _TEXT, "numpy.strings": _TEXT}

dispatch.refusals.update(REASONS)
