"""Command line: ``python -m benchmarks [--tasks ...] [--only ...] [--systems ...] [--rounds N] [--json FILE] [--markdown FILE]``."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

from benchmarks import report
from benchmarks.runner import run
from benchmarks.systems import SYSTEMS
from benchmarks.tasks import load_tasks


def parser(task_names: list[str]) -> argparse.ArgumentParser:
    options = argparse.ArgumentParser(prog="python -m benchmarks", description="Time tracejit and its peers side by side.")
    options.add_argument("--tasks", nargs="+", metavar="TASK", choices=task_names, default=task_names, help=f"of: {', '.join(task_names)}")
    options.add_argument("--only", nargs="+", metavar="TEXT", help="of these tasks, those whose name contains one of the texts")
    options.add_argument("--systems", nargs="+", metavar="SYSTEM", choices=SYSTEMS, default=list(SYSTEMS), help=f"of: {', '.join(SYSTEMS)}")
    options.add_argument("--rounds", type=int, default=3, help="processes per task and system (default 3)")
    options.add_argument("--seconds", type=float, default=1.0, help="steady timing in each process (default 1)")
    options.add_argument("--timeout", type=float, default=300.0, help="seconds after which a process is given up (default 300)")
    options.add_argument("--json", type=Path, metavar="FILE", help="write everything that was measured")
    options.add_argument("--markdown", type=Path, metavar="FILE", help="write the tables as a Markdown page")
    options.add_argument("--load", type=Path, metavar="FILE", help="measure nothing, report a file written by --json")
    return options


def announce(step: str) -> None:
    print(step, file=sys.stderr, flush=True)


def main(arguments: list[str] | None = None) -> int:
    tasks = load_tasks()
    options = parser(list(tasks)).parse_args(arguments)
    if options.load:
        results = json.loads(options.load.read_text())
    else:
        chosen = [tasks[name] for name in options.tasks if not options.only or any(text in name for text in options.only)]
        results = run(chosen, options.systems, options.rounds, options.seconds, options.timeout, announce)
    print(report.text(results))
    if options.json:
        options.json.write_text(json.dumps(results, indent=1) + "\n")
    if options.markdown:
        options.markdown.write_text(report.markdown(results))
    failures = [record for task in results["tasks"] for record in task["systems"].values() if record["status"] in ("failed", "disagrees")]
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
