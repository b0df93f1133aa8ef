"""Make a page of HTML of each tutorial: its text, its code, and what the code really prints and draws.

    python examples/tutorials/build.py                 all of them
    python examples/tutorials/build.py lab             one

A tutorial is a script whose cells begin with `# %%`. Comments at the beginning of a cell are its text: paragraphs, `## headings`, **bold** words and
`code`. The docstring gives the title and the introduction. The pages in `pages/` hold everything that they show, pictures included.
"""

from __future__ import annotations

import argparse
import ast
import base64
import contextlib
import html
import io
import keyword
import re
import sys
import tempfile
import tokenize
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
NAMES = ("first_step", "perceptron", "descent", "lab", "fine_tuning")

STYLE = """
:root { color-scheme: light dark; --ink: #1d2430; --paper: #ffffff; --soft: #f4f6f9; --line: #d9dee6; --accent: #1f6feb; }
@media (prefers-color-scheme: dark) {
  :root { --ink: #d7dde6; --paper: #14181f; --soft: #1d232c; --line: #343c48; --accent: #79b0ff; }
  img { background: #ffffff; border-radius: 4px; }
}
body { margin: 0 auto; max-width: 54rem; padding: 2rem 1rem 4rem; background: var(--paper); color: var(--ink);
       font: 1.05rem/1.6 system-ui, "DejaVu Sans", sans-serif; }
h1 { font-size: 2rem; line-height: 1.2; margin: 1rem 0; }
h2 { font-size: 1.35rem; margin: 2.5rem 0 .5rem; }
a { color: var(--accent); }
nav { font-size: .9rem; }
pre, code { font-family: ui-monospace, "DejaVu Sans Mono", monospace; font-size: .9em; }
p code { background: var(--soft); padding: .1em .3em; border-radius: 3px; }
pre { margin: .75rem 0; padding: .75rem 1rem; font-size: .8rem; line-height: 1.45; overflow-x: auto; border-radius: 4px; }
pre.code { background: var(--soft); border-left: 3px solid var(--accent); }
pre.out { border: 1px solid var(--line); white-space: pre-wrap; overflow-wrap: anywhere; }
img { display: block; max-width: 100%; margin: 1rem auto; }
.k { color: #a0308f; } .s { color: #2a7d3f; } .c { color: #6d7683; font-style: italic; } .n { color: #b35900; }
@media (prefers-color-scheme: dark) { .k { color: #e08fd4; } .s { color: #8fd19e; } .c { color: #8b95a3; } .n { color: #f0b072; } }
"""


class Cell(NamedTuple):
    """A stretch of a script: paragraphs of text, and code that begins at a line."""

    text: str
    code: str
    line: int


class Result(NamedTuple):
    """What a cell printed, and the pictures that it drew, as PNG files."""

    printed: str
    pictures: list[bytes]


def read(source: str) -> tuple[str, str, list[Cell]]:
    """The title, the introduction and the cells of a script."""
    title, _, introduction = ast.get_docstring(ast.parse(source)).partition("\n\n")
    lines = source.splitlines()
    starts = [i for i, line in enumerate(lines) if line.strip() == "# %%"]
    cells = []
    for start, end in zip(starts, [*starts[1:], len(lines)]):
        first = start + 1
        while first < end and lines[first].startswith("#"):
            first += 1
        text = "\n".join(line[1:].removeprefix(" ") for line in lines[start + 1 : first])
        while first < end and not lines[first].strip():
            first += 1
        cells.append(Cell(text, "\n".join(lines[first:end]).rstrip(), first))
    return title, introduction, cells


def run(name: str, cells: list[Cell], folder: Path) -> list[Result]:
    """Run the cells one after the other, as `python NAME.py FOLDER` does."""
    space = {"__name__": "__main__", "__file__": f"{name}.py"}
    results, known, arguments = [], set(), sys.argv
    sys.argv = [f"{name}.py", str(folder)]
    try:
        for cell in cells:
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile("\n" * cell.line + cell.code, f"{name}.py", "exec"), space)
            drawn = sorted(set(folder.glob("*.png")) - known)
            known.update(drawn)
            results.append(Result(printed.getvalue(), [path.read_bytes() for path in drawn]))
    finally:
        sys.argv = arguments
    return results


# -- HTML
def prose(text: str) -> str:
    """Paragraphs and headings, with bold words and code in them."""
    blocks = []
    for block in re.split(r"\n\s*\n", text.strip()):
        inline = html.escape(" ".join(block.split()), quote=False)
        inline = re.sub(r"`([^`]+)`", r"<code>\1</code>", inline)
        inline = re.sub(r"\*\*([^*]+)\*\*", r"<strong>\1</strong>", inline)
        blocks.append(f"<h2>{inline[3:]}</h2>" if inline.startswith("## ") else f"<p>{inline}</p>" if inline else "")
    return "\n".join(blocks)


def coloured(code: str) -> str:
    """The code, with classes for keywords, strings, comments and numbers."""
    kinds = {tokenize.STRING: "s", tokenize.COMMENT: "c", tokenize.NUMBER: "n"}
    lines = code.splitlines(keepends=True)
    pieces, row, column = [], 1, 0

    def up_to(end: tuple[int, int]) -> str:
        nonlocal row, column
        taken = []
        while row < end[0]:
            taken.append(lines[row - 1][column:])
            row, column = row + 1, 0
        taken.append(lines[row - 1][column : end[1]] if row <= len(lines) else "")
        column = end[1]
        return html.escape("".join(taken), quote=False)

    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        kind = "k" if token.type == tokenize.NAME and keyword.iskeyword(token.string) else kinds.get(token.type)
        if kind and token.string:
            pieces.append(up_to(token.start))
            pieces.append(f'<span class="{kind}">{up_to(token.end)}</span>')
    pieces.append(up_to((len(lines) + 1, 0)))
    return "".join(pieces)


def page(name: str, title: str, introduction: str, cells: list[Cell], results: list[Result]) -> str:
    """The whole page."""
    parts = [f"<h1>{html.escape(title)}</h1>", prose(introduction)]
    for cell, result in zip(cells, results, strict=True):
        if cell.text:
            parts.append(prose(cell.text))
        if cell.code:
            parts.append(f'<pre class="code">{coloured(cell.code)}</pre>')
        if result.printed:
            parts.append(f'<pre class="out">{html.escape(result.printed.rstrip(), quote=False)}</pre>')
        for picture in result.pictures:
            parts.append(f'<img alt="what the code above draws" src="data:image/png;base64,{base64.b64encode(picture).decode()}">')
    return document(title, f'<nav><a href="index.html">All tutorials</a> · <a href="../{name}.py">{name}.py</a></nav>\n' + "\n".join(parts))


def document(title: str, body: str) -> str:
    head = f'<meta charset="utf-8">\n<meta name="viewport" content="width=device-width">\n<title>{html.escape(title)}</title>\n<style>{STYLE}</style>'
    return f'<!doctype html>\n<html lang="en">\n<head>\n{head}\n</head>\n<body>\n{body}\n</body>\n</html>\n'


def index(titles: dict[str, tuple[str, str]]) -> str:
    """A page that links to the others. titles: title and introduction by name."""
    entries = [f'<h2><a href="{name}.html">{html.escape(title)}</a></h2>\n{prose(text)}' for name, (title, text) in titles.items()]
    return document("tracejit.torch: tutorials", "<h1>tracejit.torch: tutorials</h1>\n" + "\n".join(entries))


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(NAMES)}; all, if there is none")
    parser.add_argument("--output", type=Path, default=HERE / "pages")
    options = parser.parse_args(argv)
    options.output.mkdir(parents=True, exist_ok=True)
    titles = {}
    for name in NAMES:
        title, introduction, cells = read((HERE / f"{name}.py").read_text())
        introduction = introduction.partition("\n\nRun me")[0]
        titles[name] = (title, introduction)
        if options.names and name not in options.names:
            continue
        with tempfile.TemporaryDirectory() as folder:
            text = page(name, title, introduction, cells, run(name, cells, Path(folder)))
        (options.output / f"{name}.html").write_text(text)
        print(f"{name}.html: {len(cells)} cells, {len(text) / 1024:.0f} KB")
    (options.output / "index.html").write_text(index(titles))


if __name__ == "__main__":
    main()
