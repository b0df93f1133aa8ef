"""Random programs of nested loops, branches, jumps and writes in place: lifted under `jit` they give what Python gives."""

import linecache
import random

import numpy as np
import pytest

import tracejit as tj


class Writer:
    """Writes the source of a function of an array `x` and a number `c`, whose variables all have values from the start."""

    def __init__(self, seed: int):
        self.random = random.Random(seed)
        self.lines: list[str] = []
        self.count = 0
        self.numbers = ["a", "b", "c"]
        self.arrays = ["x", "u", "v"]

    def source(self) -> str:
        self.lines = ["def f(x, c):", "    u = x * 0.5", "    v = x.copy()", "    a, b = 0.0, c * 1.0", "    w = u[1:]"]
        self.block(1, 3, loop=False)
        self.lines.append("    return a, b, c, u, v, w, x")
        return "\n".join(self.lines) + "\n"

    def line(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def block(self, depth: int, size: int, loop: bool) -> None:
        for _ in range(self.random.randint(1, size)):
            self.statement(depth, loop)

    def index(self) -> str:
        return self.random.choice([*self.loops(), "0", "2", "-1"])

    def loops(self) -> list[str]:
        return [f"i{n}" for n in getattr(self, "inside", [])]

    def number(self) -> str:
        r = self.random
        return r.choice([
            r.choice(self.numbers), f"{r.choice(self.arrays)}[{self.index()}]", f"{r.uniform(-1, 1):.2f}", f"w[{r.choice(['0', '-1'])}]",
            f"np.sin({r.choice(self.numbers)})", *(f"({i} - 1)" for i in self.loops()),
            f"({r.choice(self.numbers)} if {self.simple()} else {r.choice(self.numbers)})",
        ])  # fmt: skip

    def simple(self) -> str:
        r = self.random
        return f"{r.choice(self.numbers)} {r.choice('<>')} {r.choice([*self.numbers, '0.3', 'x[1]', *self.loops()])}"

    def condition(self) -> str:
        r = self.random
        return r.choice([self.simple(), f"{self.simple()} and {self.simple()}", f"not {self.simple()}", f"-1 < {r.choice(self.numbers)} < 0.7",
                         f"{self.simple()} or {self.simple()}", *(f"{i} == 2" for i in self.loops())])  # fmt: skip

    def statement(self, depth: int, loop: bool) -> None:
        r = self.random
        kind = r.choice(["set", "set", "write", "write", "if", "for", "while", "jump", "array", "swap"])
        if kind == "set":
            self.line(depth, f"{r.choice(self.numbers)} {r.choice(['=', '+=', '='])} 0.5 * {self.number()} + {self.number()}")
        elif kind == "write":
            value = r.choice([self.number(), f"0.5 * {self.number()} - {self.number()}"])
            target = r.choice([f"{r.choice(self.arrays)}[{self.index()}]", f"{r.choice(self.arrays)}[1:]", "w[:2]", r.choice(self.arrays)])
            self.line(depth, f"{target} {'=' if '[' in target and r.random() < 0.5 else '+='} {value}")
        elif kind == "array":
            self.line(depth, f"{r.choice(self.arrays[1:])} = {r.choice(self.arrays)} * 0.5 + {self.number()}")
        elif kind == "swap":
            self.line(depth, r.choice(["u, v = v, u", "a, b = b, a", "u, v = v, u + 0.1"]))
        elif kind == "if" and depth < 5:
            self.line(depth, f"if {self.condition()}:")
            self.block(depth + 1, 2, loop)
            if r.random() < 0.5:
                self.line(depth, "else:")
                self.block(depth + 1, 2, loop)
        elif kind in ("for", "while") and depth < 4:
            self.loop(depth, kind)
        elif kind == "jump" and loop and depth > 2:
            self.line(depth, f"if {self.condition()}:")
            self.line(depth + 1, r.choice(["break", "continue", "break", "continue", "return b, u, v, w, x"]))
        else:
            self.line(depth, f"b = b * 0.9 + {self.number()}")

    def loop(self, depth: int, kind: str) -> None:
        self.count += 1
        number = self.count
        self.inside = [*getattr(self, "inside", []), number]
        if kind == "for":
            over = self.random.choice(["range(6)", "range(5, 0, -1)", "range(1, 6, 2)", "range(int_of(c))"])
            self.line(depth, f"for i{number} in {over.replace('int_of(c)', 'n')}:")
            self.block(depth + 1, 3, True)
        else:
            self.line(depth, f"i{number} = 0")
            self.line(depth, f"while i{number} < 5 and {self.simple()}:")
            self.line(depth + 1, f"i{number} += 1")
            self.block(depth + 1, 3, True)
        self.inside = self.inside[:-1]


def function(seed: int):
    text = Writer(seed).source().replace("def f(x, c):", "def f(x, c, n):")
    name = f"<generated program {seed}>"
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    space = {"np": np}
    exec(compile(text, name, "exec"), space)
    return space["f"], text


def check(seed: int) -> None:
    f, text = function(seed)
    lifted = tj.jit(tj.lift(f))
    for c, n in ((0.4, 5), (-1.5, 0)):
        x = np.random.default_rng(seed).normal(size=6)
        mine, theirs = x.copy(), x.copy()
        with np.errstate(all="ignore"):
            wanted = f(theirs, c, n)
        try:
            found = lifted(mine, c, n)
        except (tj.TracejitError, UnboundLocalError) as refused:  # said, and not wrong
            assert any(said in str(refused) for said in ("assigned", "compiled", "depends on a traced condition")), text
            return
        for k, (p, q) in enumerate(zip(found, wanted, strict=True)):
            assert np.asarray(p).dtype == np.asarray(q).dtype, f"result {k}\n{text}"
            np.testing.assert_allclose(p, q, rtol=1e-9, atol=1e-12, err_msg=f"result {k}\n{text}")
        np.testing.assert_allclose(mine, theirs, rtol=1e-9, atol=1e-12, err_msg=f"the argument\n{text}")


@pytest.mark.parametrize("seed", range(25))
def test_generated_programs(seed):
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(25, 1400))
def test_many_generated_programs(seed):
    check(seed)
