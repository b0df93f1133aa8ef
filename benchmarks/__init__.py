"""Side-by-side timings of tracejit and its peers; run ``python -m benchmarks`` from the repository root.

`task` says what a task is and what a system's version of it looks like, `tasks/` holds one file a task, `worker` measures one task
on one system in a process of its own, `runner` starts the workers in alternating order and compares their results, `report` prints.
"""
