"""How a program is recorded: the proxy, the traces it belongs to, NumPy's protocols."""
from . import dispatch
from .trace import Trace, bind, constant_beside, type_of
from .tracer import Tracer

__all__ = ["Trace", "Tracer", "bind", "constant_beside", "dispatch", "type_of"]
