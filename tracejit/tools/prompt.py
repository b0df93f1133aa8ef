"""The prompt of `tracejit.debug.breakpoint`: expressions in the variables of a place in a program that is running."""

from __future__ import annotations

import bdb
import linecache
import sys
import traceback
from typing import Any

from ..errors import Source

AROUND = 5  # lines before and after the place that `l` shows


class Prompt:
    """Reads commands and answers them. `variables` are the local ones, `space` the globals beside them."""

    def __init__(self, variables: dict[str, Any], space: dict[str, Any], source: Source | None, stdin: Any = None, stdout: Any = None):
        self.variables, self.space, self.source = variables, space, source
        self.stdin, self.stdout = stdin or sys.stdin, stdout or sys.stdout

    def run(self) -> None:
        """Until the program is to go on; raises `bdb.BdbQuit` where it is to end."""
        self._say(f"> {self.source}")
        while True:
            self.stdout.write("(tracejit) ")
            self.stdout.flush()
            line = self.stdin.readline()
            command = line.strip()
            if not line or command in ("c", "continue"):
                return
            if command in ("q", "quit"):
                raise bdb.BdbQuit
            self._answer(command)

    def _say(self, text: str) -> None:
        self.stdout.write(text + "\n")

    def _answer(self, command: str) -> None:
        if command in ("l", "list"):
            self._lines()
        elif command in ("w", "where"):
            self._say(f"> {self.source}")
        elif command in ("v", "variables"):
            self._say(", ".join(sorted(self.variables)))
        elif command:
            expression = command[2:] if command.startswith("p ") else command
            try:
                self._say(repr(eval(expression, {**self.space, **self.variables})))
            except Exception:  # whatever the expression raises is the answer
                self._say(traceback.format_exc(limit=0).strip())

    def _lines(self) -> None:
        if self.source is None:
            return
        for number in range(max(1, self.source.line - AROUND), self.source.line + AROUND + 1):
            text = linecache.getline(self.source.filename, number)
            if text:
                self._say(f"{number:4}{'->' if number == self.source.line else '  '} {text.rstrip()}")
