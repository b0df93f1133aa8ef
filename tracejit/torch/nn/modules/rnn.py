"""Recurrent networks. A direction of a layer is one primitive, whose steps are a loop: compiled programs run it as native code."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ....api import scan
from ....ops.custom import Rule, custom_derivative
from ....ops.elementwise import logistic, stop_gradient
from ....trace import Tracer
from ...dispatch import FUNCTIONS, Primitive
from ...tensor import Tensor, wrap
from .. import functional as F
from .. import init
from ..utils.rnn import PackedSequence, pack_padded_sequence, pad_packed_sequence
from .linear import new_parameter
from .module import Module

GATES = {"RNN_TANH": 1, "RNN_RELU": 1, "LSTM": 4, "GRU": 3}


def _slope(args: Any, outs: Any, tangents: Any) -> tuple:
    (y,), (t,) = outs, tangents
    return (t * (y * (1 - y)),)


def _unreachable() -> None:
    raise AssertionError("a tangent reaches the logistic function by no other way than its argument")


_SLOPE = Rule(_slope, _unreachable)


def _sigmoid(x: Any) -> Any:
    """The logistic function with torch's derivative, which is made of the result: a loop keeps nothing else for the way back."""
    if type(x) is not Tracer:
        return logistic(x)
    (y,) = custom_derivative(logistic(stop_gradient(x)), x, count=1, rule=_SLOPE)
    return y


def _step(mode: str, from_x: Any, state: tuple, w_hh: Any, b_hh: Any, w_hr: Any) -> tuple:
    """The next state, whose first part is the output, from the part of the gates that comes from the input."""
    h = state[0]
    from_h = np.matmul(h, np.transpose(w_hh))
    from_h = from_h if b_hh is None else from_h + b_hh
    if mode == "LSTM":
        i, f, g, o = np.split(from_x + from_h, 4, axis=-1)
        c = _sigmoid(f) * state[1] + _sigmoid(i) * np.tanh(g)
        h = _sigmoid(o) * np.tanh(c)
        return (h if w_hr is None else np.matmul(h, np.transpose(w_hr))), c
    if mode == "GRU":
        (rx, zx, nx), (rh, zh, nh) = np.split(from_x, 3, axis=-1), np.split(from_h, 3, axis=-1)
        z = _sigmoid(zx + zh)
        return ((1 - z) * np.tanh(nx + _sigmoid(rx + rh) * nh) + z * h,)
    total = from_x + from_h
    return (np.tanh(total) if mode == "RNN_TANH" else np.maximum(total, 0),)


def _weights(given: tuple, bias: bool, projected: bool) -> tuple:
    w_ih, w_hh, *rest = given
    b_ih, b_hh = (rest.pop(0), rest.pop(0)) if bias else (None, None)
    return w_ih, w_hh, b_ih, b_hh, rest.pop(0) if projected else None


def _sequence_impl(x, *operands, mode, reverse, bias, projected, masked=False):
    """Outputs (T, N, H), then the last state; the last operand of a `masked` one is where there are elements, (T, N, 1)."""
    mask = None
    if masked:
        *operands, mask = operands
    states = 2 if mode == "LSTM" else 1
    start, weights = tuple(operands[:states]), operands[states:]
    w_ih, w_hh, b_ih, b_hh, w_hr = _weights(weights, bias, projected)
    from_x = np.matmul(x, np.transpose(w_ih))
    from_x = from_x if b_ih is None else from_x + b_ih
    if all(type(a) is np.ndarray for a in (x, *operands)):
        state, outputs = start, []
        times = range(len(from_x))
        for t in reversed(times) if reverse else times:
            made = _step(mode, from_x[t], state, w_hh, b_hh, w_hr)
            state = made if mask is None else _where_there(mask[t], made, state)
            outputs.append(state[0])
        return (np.stack(outputs[::-1] if reverse else outputs), *state)

    def turn(state, row):
        if mask is None:
            made = _step(mode, row, state, w_hh, b_hh, w_hr)
        else:
            made = _where_there(row[1], _step(mode, row[0], state, w_hh, b_hh, w_hr), state)
        return made, made[0]

    state, outputs = scan(turn, start, from_x if mask is None else (from_x, mask), reverse=reverse)
    return (outputs, *state)


def _where_there(there: Any, made: tuple, state: tuple) -> tuple:
    """The new state of the sequences that have an element now; the others keep theirs."""
    return tuple([np.where(there, a, b) for a, b in zip(made, state)])


def _cell_impl(x, *operands, mode, bias):
    states = 2 if mode == "LSTM" else 1
    w_ih, w_hh, b_ih, b_hh, _ = _weights(operands[states:], bias, False)
    from_x = np.matmul(x, np.transpose(w_ih))
    made = _step(mode, from_x if b_ih is None else from_x + b_ih, operands[:states], w_hh, b_hh, None)
    return made if states > 1 else made[0]


_sequences = {mode: Primitive(f"{name}Layer", _sequence_impl, native=True) for mode, name in zip(GATES, ("RnnTanh", "RnnRelu", "Lstm", "Gru"))}
_cells = {mode: Primitive(f"{name}Cell", _cell_impl, native=True) for mode, name in zip(GATES, ("RnnTanh", "RnnRelu", "Lstm", "Gru"))}


class RNNBase(Module):
    """What recurrent networks share: layers, directions, dropout between layers."""

    def __init__(
        self, mode: str, input_size: int, hidden_size: int, num_layers: int = 1, bias: bool = True, batch_first: bool = False, dropout: float = 0.0,
        bidirectional: bool = False, proj_size: int = 0, device: Any = None, dtype: Any = None,
    ):  # fmt: skip
        super().__init__()
        if not 0 <= dropout <= 1:
            raise ValueError("dropout should be a number in range [0, 1] representing the probability of an element being zeroed")
        if dropout > 0 and num_layers == 1:
            warnings.warn(f"dropout option adds dropout after all but last recurrent layer, so non-zero dropout expects num_layers greater than 1, "
                          f"but got dropout={dropout} and num_layers={num_layers}", stacklevel=3)  # fmt: skip
        if hidden_size <= 0:
            raise ValueError("hidden_size must be greater than zero")
        if num_layers <= 0:
            raise ValueError("num_layers must be greater than zero")
        if proj_size < 0 or proj_size >= hidden_size:
            raise ValueError("proj_size has to be smaller than hidden_size, and zero or more")
        self.mode, self.input_size, self.hidden_size, self.num_layers, self.bias = mode, input_size, hidden_size, num_layers, bias
        self.batch_first, self.dropout, self.bidirectional, self.proj_size = batch_first, float(dropout), bidirectional, proj_size
        self._suffixes = [f"_l{k}{end}" for k in range(num_layers) for end in (("", "_reverse") if bidirectional else ("",))]
        directions, gates, out = 1 + bidirectional, GATES[mode] * hidden_size, proj_size or hidden_size
        for place, suffix in enumerate(self._suffixes):
            inputs = input_size if place < directions else out * directions
            shapes = [("weight_ih", (gates, inputs)), ("weight_hh", (gates, out))]
            shapes += [("bias_ih", (gates,)), ("bias_hh", (gates,))] if bias else []
            shapes += [("weight_hr", (proj_size, hidden_size))] if proj_size else []
            for name, shape in shapes:
                self.register_parameter(name + suffix, new_parameter(*shape, dtype=dtype))
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw initial values: uniform in +-1 / sqrt(hidden_size)."""
        bound = 1.0 / math.sqrt(self.hidden_size)
        for p in self.parameters():
            init.uniform_(p, -bound, bound)

    def flatten_parameters(self) -> None:
        """Does nothing: it matters on other devices."""

    @property
    def all_weights(self) -> list[list[Tensor]]:
        """The parameters of each direction of each layer."""
        return [self._of(suffix) for suffix in self._suffixes]

    def _of(self, suffix: str) -> list[Tensor]:
        names = ["weight_ih", "weight_hh", *(["bias_ih", "bias_hh"] if self.bias else []), *(["weight_hr"] if self.proj_size else [])]
        return [getattr(self, name + suffix) for name in names]

    def _start(self, hx: Any, count: int, like: Tensor, batched: bool) -> tuple[Tensor, ...]:
        """The first states, (layers * directions, N, H). Raises `RuntimeError` for other shapes."""
        sizes = (self.proj_size or self.hidden_size, self.hidden_size)[: 2 if self.mode == "LSTM" else 1]
        rows = len(self._suffixes)
        if hx is None:
            return tuple(FUNCTIONS["zeros"](rows, count, size, dtype=like.dtype) for size in sizes)
        given = tuple(hx) if self.mode == "LSTM" else (hx,)
        made = []
        for h, size in zip(given, sizes):
            h = h if batched or h.dim() != 2 else h.unsqueeze(1)
            if tuple(h.shape) != (rows, count, size):
                raise RuntimeError(f"Expected hidden size {(rows, count, size)}, got {list(h.shape)}")
            if h.dtype != like.dtype:
                raise RuntimeError(f"the state is {h.dtype} and the input {like.dtype}: convert one, h.to({like.dtype})")
            made.append(h)
        return tuple(made)

    def _require_dtype(self, input: Tensor) -> None:
        dtype = self.weight_ih_l0.dtype
        if input.dtype != dtype:
            raise ValueError(
                f"RNN input dtype ({input.dtype}) does not match weight dtype ({dtype}). Convert input: input.to({dtype}), or convert model: "
                f"model.to({input.dtype})"
            )

    def forward(self, input: Any, hx: Any = None) -> tuple[Any, Any]:
        if isinstance(input, PackedSequence):
            return self._packed(input, hx)
        if input.dim() not in (2, 3):
            raise ValueError(f"{self._get_name()}: Expected input to be 2D or 3D, got {input.dim()}D instead")
        self._require_dtype(input)
        if input.shape[-1] != self.input_size:
            raise RuntimeError(f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.shape[-1]}")
        batched = input.dim() == 3
        x = input.unsqueeze(1) if not batched else input.transpose(0, 1) if self.batch_first else input
        if x.shape[0] == 0:
            raise RuntimeError("Expected sequence length to be larger than 0 in RNN")
        x, finals = self._layers(x, self._start(hx, x.shape[1], x, batched))
        if not batched:
            x, finals = x.squeeze(1), tuple(h.squeeze(1) for h in finals)
        elif self.batch_first:
            x = x.transpose(0, 1)
        return x, finals if self.mode == "LSTM" else finals[0]

    def _packed(self, input: PackedSequence, hx: Any) -> tuple[PackedSequence, Any]:
        """The outputs of packed sequences, packed likewise, and the states at the end of each."""
        self._require_dtype(input.data)
        if input.data.dim() != 2 or input.data.shape[-1] != self.input_size:
            raise RuntimeError(f"input.size(-1) must be equal to input_size. Expected {self.input_size}, got {input.data.shape[-1]}")
        plain = PackedSequence(input.data, input.batch_sizes)
        x, lengths = pad_packed_sequence(plain)
        start = self._start(hx, x.shape[1], x, True)
        if input.sorted_indices is not None and hx is not None:
            start = tuple(FUNCTIONS["index_select"](h, 1, input.sorted_indices) for h in start)
        mask = wrap((np.arange(x.shape[0])[:, None] < lengths._array)[:, :, None])
        x, finals = self._layers(x, start, mask)
        if input.unsorted_indices is not None:
            finals = tuple(FUNCTIONS["index_select"](h, 1, input.unsorted_indices) for h in finals)
        return input._with(pack_padded_sequence(x, lengths).data), finals if self.mode == "LSTM" else finals[0]

    def _layers(self, x: Tensor, start: tuple[Tensor, ...], mask: Tensor | None = None) -> tuple[Tensor, tuple[Tensor, ...]]:
        """The outputs of the last layer (T, N, *), and the last states of all. `mask` (T, N, 1) says where there are elements."""
        directions, last = 1 + self.bidirectional, []
        masked = () if mask is None else (mask,)
        for layer in range(self.num_layers):
            outputs = []
            for direction in range(directions):
                place = layer * directions + direction
                out, *state = _sequences[self.mode](
                    x, *(h[place] for h in start), *self._of(self._suffixes[place]), *masked, mode=self.mode, reverse=direction == 1, bias=self.bias,
                    projected=self.proj_size > 0, masked=mask is not None,
                )  # fmt: skip
                outputs.append(out)
                last.append(state)
            x = outputs[0] if directions == 1 else FUNCTIONS["cat"](outputs, -1)
            if self.dropout and layer < self.num_layers - 1:
                x = F.dropout(x, self.dropout, self.training)
        return x, tuple(FUNCTIONS["stack"](list(parts)) for parts in zip(*last))

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}"
        for name, usual in (("proj_size", 0), ("num_layers", 1), ("bias", True), ("batch_first", False), ("dropout", 0), ("bidirectional", False)):
            value = getattr(self, name)
            text += "" if value == usual else f", {name}={value}"
        return text


class RNN(RNNBase):
    """The network of Elman (1990): tanh or relu of an affine map of input and state."""

    def __init__(self, input_size: int, hidden_size: int, num_layers: int = 1, nonlinearity: str = "tanh", *args: Any, **kwargs: Any):
        if nonlinearity not in ("tanh", "relu"):
            raise ValueError(f"Unknown nonlinearity '{nonlinearity}'. Select from 'tanh' or 'relu'.")
        self_mode = f"RNN_{nonlinearity.upper()}"
        super().__init__(self_mode, input_size, hidden_size, num_layers, *args, **kwargs)
        self.nonlinearity = nonlinearity


class LSTM(RNNBase):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997)."""

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__("LSTM", *args, **kwargs)


class GRU(RNNBase):
    """Gated recurrent units (Cho et al., 2014)."""

    def __init__(self, *args: Any, **kwargs: Any):
        if "proj_size" in kwargs:
            raise ValueError("proj_size argument is only supported for LSTM, not RNN or GRU")
        super().__init__("GRU", *args, **kwargs)


class RNNCellBase(Module):
    """One step of a recurrent network."""

    def __init__(self, mode: str, input_size: int, hidden_size: int, bias: bool, dtype: Any):
        super().__init__()
        self._mode, self.input_size, self.hidden_size, self.bias = mode, input_size, hidden_size, bias
        gates = GATES[mode] * hidden_size
        self.weight_ih = new_parameter(gates, input_size, dtype=dtype)
        self.weight_hh = new_parameter(gates, hidden_size, dtype=dtype)
        for name in ("bias_ih", "bias_hh"):
            self.register_parameter(name, new_parameter(gates, dtype=dtype) if bias else None)
        self.reset_parameters()

    reset_parameters = RNNBase.reset_parameters

    def forward(self, input: Tensor, hx: Any = None) -> Any:
        if input.dim() not in (1, 2):
            raise ValueError(f"{self._get_name()}: Expected input to be 1D or 2D, got {input.dim()}D instead")
        if input.shape[-1] != self.input_size:
            raise RuntimeError(f"input has inconsistent input_size: got {input.shape[-1]} expected {self.input_size}")
        states = 2 if self._mode == "LSTM" else 1
        if hx is None:
            hx = FUNCTIONS["zeros"](*input.shape[:-1], self.hidden_size, dtype=input.dtype)
            hx = (hx, hx) if states == 2 else hx
        biases = (self.bias_ih, self.bias_hh) if self.bias else ()
        given = tuple(hx) if states == 2 else (hx,)
        shape = [*input.shape[:-1], self.hidden_size]
        for h in given:
            if list(h.shape) != shape:
                raise RuntimeError(f"hidden has inconsistent hidden_size or batch: got {list(h.shape)}, expected {shape}")
        for t in (input, *given):
            if t.dtype != self.weight_ih.dtype:
                raise RuntimeError(
                    f"{self._get_name()}: inputs and weights must have the same dtype, but got {t.dtype} and {self.weight_ih.dtype}. Convert one: "
                    f"x.to({self.weight_ih.dtype})"
                )
        return _cells[self._mode](input, *given, self.weight_ih, self.weight_hh, *biases, mode=self._mode, bias=self.bias)

    def extra_repr(self) -> str:
        text = f"{self.input_size}, {self.hidden_size}" + ("" if self.bias else f", bias={self.bias}")
        odd = self._mode == "RNN_RELU"
        return f"{text}, nonlinearity=relu" if odd else text


class RNNCell(RNNCellBase):
    """One step of `RNN`."""

    def __init__(
        self, input_size: int, hidden_size: int, bias: bool = True, nonlinearity: str = "tanh", device: Any = None, dtype: Any = None
    ):
        if nonlinearity not in ("tanh", "relu"):
            raise RuntimeError(f"Unknown nonlinearity: {nonlinearity}")
        super().__init__(f"RNN_{nonlinearity.upper()}", input_size, hidden_size, bias, dtype)
        self.nonlinearity = nonlinearity


class LSTMCell(RNNCellBase):
    """One step of `LSTM`."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None):
        super().__init__("LSTM", input_size, hidden_size, bias, dtype)


class GRUCell(RNNCellBase):
    """One step of `GRU`."""

    def __init__(self, input_size: int, hidden_size: int, bias: bool = True, device: Any = None, dtype: Any = None):
        super().__init__("GRU", input_size, hidden_size, bias, dtype)
