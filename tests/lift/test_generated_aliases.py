"""Random programs of names: arrays that are bound, exchanged, put into lists and objects, viewed and written, in loops and branches. What `lift`
compiles is what Python does; what depends on values is refused."""

import linecache
import random
import types

import numpy as np
import pytest

import tracejit as tj

START = """def f(x, c, n):
    u, v, w = x * 1.0, x * 2.0, x * 3.0
    p, q = w, v * 1.5
    box = types.SimpleNamespace(a=u, b=x * 4.0)
    items = [v, x * 6.0]
""".splitlines()
KINDS = ("bind", "exchange", "view", "new", "two names", "attribute", "item", "write", "write", "if", "for", "while")


class Writer:
    """Writes the source of such a program."""

    def __init__(self, seed: int):
        self.random, self.lines, self.loops = random.Random(seed), list(START), 0

    def source(self) -> str:
        for _ in range(self.random.randint(3, 7)):
            self.statement(1)
        return "\n".join([*self.lines, "    return u, v, w, p, q, box.a, box.b, items[0], items[1], c"]) + "\n"

    def line(self, depth: int, text: str) -> None:
        self.lines.append("    " * depth + text)

    def block(self, depth: int) -> None:
        for _ in range(self.random.randint(1, 3)):
            self.statement(depth)

    def statement(self, depth: int) -> None:
        choice = self.random.choice
        a, b, kind = choice("uvwpq"), choice("uvwpq"), choice(KINDS)
        if kind in ("attribute", "item"):
            place = f"box.{choice('ab')}" if kind == "attribute" else f"items[{choice('01')}]"
            self.line(depth, choice([f"{place} = {a}", f"{a} = {place}"]))
        elif kind == "if" and depth < 4:
            self.line(depth, f"if {choice(['c', 'x[0]', a + '[0]'])} {choice('<>')} {choice(['0.3', 'c', b + '[1]'])}:")
            self.block(depth + 1)
            if choice((True, False)):
                self.line(depth, "else:")
                self.block(depth + 1)
        elif kind == "for" and depth < 4:
            self.line(depth, f"for _ in range({choice(['5', '6', 'n'])}):")
            self.block(depth + 1)
        elif kind == "while" and depth < 4:
            self.loops += 1
            self.line(depth, f"i{self.loops} = 0")
            self.line(depth, f"while i{self.loops} < 6 and c > {choice(['0.2', '-9.0'])}:")
            self.line(depth + 1, f"i{self.loops} += 1")
            self.block(depth + 1)
        else:
            simple = {"bind": f"{a} = {b}", "exchange": f"{a}, {b} = {b}, {a}", "view": f"{a} = {b}[::-1]", "new": f"{a} = {b} * 0.5 + 1"}
            simple["two names"] = f"{a} = {b} = x * {choice('23')}.0"
            write = f"{a}[{choice('0123')}] {choice(['=', '+=', '*='])} {choice(['c', '5.0', 'x[1]', b + '[2]'])}"
            self.line(depth, simple.get(kind, write))


def check(seed: int) -> None:
    text, name, space = Writer(seed).source(), f"<generated names {seed}>", {"types": types}
    linecache.cache[name] = (len(text), None, text.splitlines(True), name)
    exec(compile(text, name, "exec"), space)
    f = space["f"]
    lifted = tj.jit(tj.lift(f))
    for c, n in ((0.4, 5), (-1.5, 0), (0.7, 6)):
        x = np.random.default_rng(seed).normal(size=5)
        with np.errstate(all="ignore"):
            wanted = f(x.copy(), c, n)
            try:
                found = lifted(x.copy(), c, n)
            except tj.TracejitError as refused:
                assert "depends on a traced condition" in str(refused), text
                return
            for k, (got, want) in enumerate(zip(found, wanted, strict=True)):
                np.testing.assert_allclose(got, want, rtol=1e-9, atol=1e-12, err_msg=f"result {k}\n{text}")


@pytest.mark.parametrize("seed", range(20))
def test_names(seed):
    check(seed)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20, 500))
def test_many_names(seed):
    check(seed)
