"""The part of a graph that the host computes before the device begins: what depends on its values alone, and is wanted there, or has no kernel.

A counter of steps that lives on the host is such a value, and nobody waits for the device to know it; so is the state of a generator, of which only
what is drawn goes to the device.
"""

from __future__ import annotations

from collections.abc import Callable, Container
from typing import Any, NamedTuple

from ...ir import Graph, Var


class Halves(NamedTuple):
    """`host` takes the inputs numbered in `host_inputs` and makes the outputs numbered in `host_outputs`, and behind them what the device reads.
    `device` takes the inputs numbered in `device_inputs` and behind them those values, and makes the other outputs, in order."""

    host: Graph
    host_inputs: tuple[int, ...]
    host_outputs: tuple[int, ...]
    device: Graph
    device_inputs: tuple[int, ...]


def halves(graph: Graph, on_host: Container[int], wanted: Container[int], has_no_kernel: Callable[[Any], bool]) -> Halves | None:
    """The halves of a graph whose inputs numbered in `on_host`, and outputs numbered in `wanted`, live on the host.

    None where the host has nothing to compute, and where something happens whose order with the rest counts.
    """
    if any(node.effect for node in graph.nodes):
        return None
    known = {v for i, v in enumerate(graph.inputs) if i in on_host}
    possible = []
    for node in graph.nodes:
        reads = {a for a in node.inputs if type(a) is Var}
        if reads and reads <= known:
            known.update(node.outputs)
            possible.append(node)
    host_outputs = tuple(k for k, a in enumerate(graph.outputs) if k in wanted and a in known and a not in graph.inputs)
    needed = {graph.outputs[k] for k in host_outputs}
    nodes = []
    for node in reversed(possible):
        if has_no_kernel(node.op) or needed.intersection(node.outputs):
            needed.update(a for a in node.inputs if type(a) is Var)
            nodes.append(node)
    if not nodes:
        return None
    made = dict.fromkeys(v for node in reversed(nodes) for v in node.outputs)
    others = [a for k, a in enumerate(graph.outputs) if k not in host_outputs]
    needed = {a for a in others if type(a) is Var}
    rest = []
    for node in reversed(graph.nodes):
        if needed.intersection(node.outputs) and not made.keys() & set(node.outputs):
            needed.update(a for a in node.inputs if type(a) is Var)
            rest.append(node)
    crossing = tuple(v for v in made if v in needed)
    first = {a for node in nodes for a in node.inputs}
    host_inputs = tuple(i for i, v in enumerate(graph.inputs) if v in first)
    device_inputs = tuple(i for i, v in enumerate(graph.inputs) if v in needed)
    host = Graph(tuple(graph.inputs[i] for i in host_inputs), tuple(reversed(nodes)), (*(graph.outputs[k] for k in host_outputs), *crossing))
    device = Graph((*(graph.inputs[i] for i in device_inputs), *crossing), tuple(reversed(rest)), tuple(others))
    return Halves(host, host_inputs, host_outputs, device, device_inputs)


__all__ = ["Halves", "halves"]
