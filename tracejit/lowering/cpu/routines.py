"""The modules that call routines of libraries for ops on whole arrays, by the kind of the op.

Each has
    symbols()                             the addresses that its calls need, by name
    has_routine(node)                     whether it can compute a node
    work(node)                            the types of the work arrays that it needs
    write(f, node, operands, results)     write the calls into a function; the status that comes back, 0 if all went well
"""

from __future__ import annotations

from . import lapack, loops, pocketfft

LIBRARIES = {"lapack": lapack, "fft": pocketfft, "scan": loops.Scan, "while": loops.While, "switch": loops.Switch}
