"""What loops and branches became."""

import numpy as np

import tracejit as tj

ARRAY = np.arange(6.0)


def kinds(f, *args):
    """The names of the loops and branches in a traced function's graph, those inside of others too."""
    found, todo = set(), [tj.jit(f).graph(*args)]
    while todo:
        for node in todo.pop().nodes:
            found.add(node.op.name)
            for value in node.params.values():
                todo += [g for g in (value if isinstance(value, tuple) else (value,)) if hasattr(g, "nodes")]
    return found & {"scan", "while_loop", "switch"}


def summed(x):
    s = 0
    for v in x:
        s += v
    return s
