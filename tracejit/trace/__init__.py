"""How a program is recorded: the proxy, the traces it belongs to, NumPy's protocols."""
from .trace import Trace, bind, type_of
from .tracer import Tracer

__all__ = ["Trace", "Tracer", "bind", "type_of"]
