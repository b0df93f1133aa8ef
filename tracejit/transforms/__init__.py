"""Graph to graph: forward mode, its split into values and a linear program, the transpose of that, batching."""
