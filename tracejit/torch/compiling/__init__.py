"""`tracejit.torch.compile`: whole training steps, functions and modules as native programs.

`surroundings` finds what a function reads, `recording` makes a graph of a call and recipes of what it leaves behind, `variant` runs the graph as a
native program on the tensors' own memory, `outside` differentiates results of it.
"""

from .compiled import Compiled, CompiledModule, compile

__all__ = ["Compiled", "CompiledModule", "compile"]
