"""Prints what `runner.run` returns, as a text table or as the Markdown of `benchmarks/RESULTS.md`."""

from __future__ import annotations

from collections.abc import Iterator

from benchmarks.systems import ALL_SYSTEMS

COLUMNS = ("system", "steady min", "median", "first call", "import", "peak memory", "ratio to best peer", "error")


def seconds_text(seconds: float) -> str:
    for unit, factor in (("s", 1.0), ("ms", 1e3), ("us", 1e6)):
        if seconds * factor >= 0.9995:  # what three digits round to 1.00
            return f"{seconds * factor:#.3g} {unit}".replace(". ", " ")
    return f"{seconds * 1e9:.0f} ns"


def bytes_text(count: int) -> str:
    return f"{count / 2**20:.1f} MiB"


def row(system: str, record: dict) -> list[str]:
    """A table row; a system without numbers says why in its second cell."""
    title = ALL_SYSTEMS[system].title
    if record["status"] != "ok":
        return [title, ": ".join(filter(None, (record["status"], record.get("message")))), *[""] * (len(COLUMNS) - 2)]
    in_process = "first_call_seconds" in record
    return [
        title,
        seconds_text(record["steady_min_seconds"]),
        seconds_text(record["steady_median_seconds"]),
        seconds_text(record["first_call_seconds"]) if in_process else "-",
        seconds_text(record["import_seconds"]),
        bytes_text(record["peak_bytes"]) if in_process else "-",
        f"{record['ratio_to_best_peer']:.2f}" if "ratio_to_best_peer" in record else "-",
        f"{record['error']:.1e}",
    ]


def task_heading(task: dict) -> str:
    return f"{task['name']}: {task['title']} (tolerance {task['tolerance']:.0e})"


def text_table(task: dict) -> str:
    """One task's table for a terminal."""
    rows = [row(system, record) for system, record in task["systems"].items()]
    widths = [max(len(cells[column]) for cells in [list(COLUMNS), *(r for r in rows if r[2])]) for column in range(len(COLUMNS))]
    widths[0] = max(len(cells[0]) for cells in rows)

    def line(cells: list[str]) -> str:
        if len(cells) > 2 and not cells[2]:
            return f"{cells[0].ljust(widths[0])}  {cells[1]}"
        return "  ".join([cells[0].ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))])

    return "\n".join([task_heading(task), line(list(COLUMNS)), *map(line, rows)])


def machine_lines(results: dict) -> Iterator[str]:
    machine, settings = results["machine"], results["settings"]
    yield f"{machine['cpu']}, {machine['cores']} cores, {machine['system']}, Python {machine['python']}, {machine['date']}"
    yield ", ".join(f"{name} {version}" for name, version in machine["versions"].items())
    yield f"{settings['rounds']} rounds of {settings['seconds']:g} s; load average at the start {machine['load_average_at_start']:.2f}"


def text(results: dict) -> str:
    return "\n".join(machine_lines(results)) + "\n\n" + "\n\n".join(map(text_table, results["tasks"]))


def markdown_table(task: dict) -> str:
    lines = [f"## {task['name']}", f"{task['title']}; results agree to {task['tolerance']:.0e}.", ""]
    lines += ["| " + " | ".join(COLUMNS) + " |", "|---" + "|---:" * (len(COLUMNS) - 1) + "|"]
    for system, record in task["systems"].items():
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in row(system, record)) + " |")
    return "\n".join(lines)


def markdown(results: dict) -> str:
    """The whole of RESULTS.md."""
    made_by = "Made by `python -m benchmarks --markdown benchmarks/RESULTS.md`; what the columns mean: [README](README.md)."
    opening = ["# Benchmark results", "", made_by, ""]
    opening += [f"- {line}" for line in machine_lines(results)]
    return "\n".join(opening) + "\n\n" + "\n\n".join(map(markdown_table, results["tasks"])) + "\n"
