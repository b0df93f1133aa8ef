"""What lifted code calls in place of loops and branches: each decides, when it runs, whether there is something to compile.

Where nothing is traced, or the condition of a branch is known, it is Python as it was.  A loop or branch that cannot be compiled is tried as one,
then everything is put back, and it is Python: a loop unrolls, and a branch asks for the truth of its condition, which `jit` answers by a guard.
"""

from __future__ import annotations

import builtins
import threading
import warnings
from collections.abc import Callable
from types import FunctionType
from typing import Any

import numpy as np

from ..errors import TracejitError, TracerBoolError, TracerConversionError, at_user_line
from ..ir import array_type
from ..trace import Tracer
from ..trace.constants import active_traces, constant, is_constant
from ..trace.views import OutsideWriteError
from ..unrolled import TraceSizeError
from . import logic
from .branches import branch
from .iteration import over, symbolic
from .liveness import Facts
from .loops import Peel, Turns, loop
from .places import UNSET, Containers, Scope
from .state import State, Stays

UNROLLED = 4  # a loop of up to so many turns is unrolled: its turns fuse
WARNED = 64  # and one of so many warns if it is unrolled because it cannot be compiled
_DEEPEST = 3  # so often may a branch be entered again on one of its own sides: recursion


# A trace is too large whatever becomes of this loop; and a write into an array from further outside is for the loop or branch around this one.
_NOT_OURS = (TraceSizeError, OutsideWriteError)


class LiftWarning(UserWarning):
    """A long loop could not be compiled as a loop, and is unrolled."""


class _Running(threading.local):
    def __init__(self) -> None:
        self.branches: list[tuple[int, int]] = []
        self.notes: dict[str, str] = {}  # why a variable is not assigned


_running = _Running()


def explain(error: NameError) -> None:
    """Say in an error for a variable that is not assigned which loop or branch has left it so."""
    for name, reason in _running.notes.items():
        if f"'{name}'" in str(error):
            error.args = (f"{error}: {reason}",)
    _running.notes.clear()


class _RecursionInBranch(BaseException):
    """A traced condition decides whether a function calls itself: which way to go must be known. `key` is the branch's."""

    def __init__(self, key: Any):
        super().__init__()
        self.key = key


class Runtime:
    """The helpers of one rewritten function, under the name `_tj` in it."""

    and_, or_, not_, choose = staticmethod(logic.and_), staticmethod(logic.or_), staticmethod(logic.not_), staticmethod(logic.choose)
    compare, unset, assert_ = staticmethod(logic.compare), staticmethod(logic.unset), staticmethod(logic.assert_)
    slice = staticmethod(builtins.slice)

    def __init__(self, filename: str, facts: list[Facts], called: Callable[[Any], Any]):
        self.filename, self.facts, self.called = filename, facts, called

    # -- indexing
    @staticmethod
    def item(x: Any, index: Any) -> Any:
        """`x[index]`, where x may be a plain array or a list of numbers and the index traced."""
        if type(x) is not Tracer and _has_traced(index):
            if isinstance(x, np.ndarray) and x.ndim:
                return constant(x)[index]
            if type(x) in (list, tuple) and type(index) is Tracer:
                return _of_numbers(x, index)
        return x[index]

    # -- branches
    def if_(self, test: Any, then: FunctionType, orelse: FunctionType, number: int) -> None:
        if not logic.is_condition(test):
            then() if test else orelse()
            return
        facts = self.facts[number]
        key = id(self), number
        if sum(k == key for k in _running.branches) > _DEEPEST:
            raise _RecursionInBranch(key)
        state = State(facts, Scope(then, orelse))
        self._branch(state, test, then, orelse, key)

    def _branch(self, state: State, test: Any, then: Callable, orelse: Callable, key: Any) -> None:
        _running.branches.append(key)
        try:
            branch(state, logic.truth(test), f"branch at {self.filename}:{state.facts.line}", then, orelse)
        except _RecursionInBranch as found:
            if found.key != key or key in _running.branches[:-1]:
                raise
            reason: BaseException = TracejitError("the function calls itself on a side of it")
        except _NOT_OURS:
            raise
        except Exception as error:
            reason = error
        else:
            _running.notes.update(state.notes)
            return
        finally:
            _running.branches.pop()
        for slot in state.slots:
            slot.place.set(slot.entry)
        self._known_branch(test, then, orelse, state.facts, reason)

    def _known_branch(self, test: Any, then: Callable, orelse: Callable, facts: Facts, reason: BaseException) -> None:
        """The branch as Python, whose condition must be known."""
        try:
            holds = bool(test)
        except TracerBoolError as error:
            if isinstance(reason, (Stays, AssertionError)) or not isinstance(reason, TracejitError):
                where = f"{self.filename}:{facts.line}"
                said = reason if isinstance(reason, TracejitError) else f"{type(reason).__name__}: {reason}"
                raise TracerBoolError(f"{where}: this branch on a traced condition cannot be compiled, {said}") from reason
            raise reason from error
        then() if holds else orelse()

    # -- loops
    def for_(self, iterable: Any, body: FunctionType, number: int) -> None:
        facts = self.facts[number]
        scope = Scope(body)
        iteration = over(iterable) if active_traces() else None
        if iteration is None:
            self._plain_for(iterable, body, facts, scope)
            return
        count = iteration.count
        if type(count) is not Tracer and (count <= UNROLLED or not self._traced(facts, scope, iterable)):
            self._plain_for(iteration, body, facts, scope)
            return
        self._compiled_for(iteration, body, facts, scope)

    def _compiled_for(self, iteration: Any, body: Callable, facts: Facts, scope: Scope) -> None:
        count, first, known = iteration.count, 0, type(iteration.count) is not Tracer
        last_alone = known and len(facts.targets) == 1 and not facts.exits
        skip = facts.targets if last_alone else ()
        runs = known
        if not known and any(scope.variable(name).get() is UNSET for name in facts.targets if name in facts.live_after):
            try:  # what only the loop gives a value is read behind it: does it turn at all?
                runs = bool(count > 0)
            except TracerBoolError:
                pass  # nobody can tell
            else:
                if not runs:
                    return
        for attempt in range(3):
            begin, done = first, False
            turns = Turns(
                f"loop at {self.filename}:{facts.line}",
                count - begin if begin or known else count,
                lambda k, begin=begin: body(iteration.item(k + begin if begin else k)),
                exits=facts.exits,
                runs=known or runs and not begin,
                peels=attempt < 2 and count - begin > 1 if known else runs and not begin,
            )
            before = Containers(scope.values(facts.read))
            variables = scope.save(facts.assigned)
            try:
                state = State(facts, scope, skip)
                loop(state, turns)
                done = True
            except Peel as unlike:
                reason: Exception = unlike
            except _NOT_OURS:
                raise
            except Exception as error:
                reason = error
                break
            if done:
                _running.notes.update(state.notes)
                if last_alone and facts.targets[0] in facts.live_after:
                    scope.variable(facts.targets[0]).set(iteration.item(count - 1))
                return
            body(iteration.item(first))
            first += 1
            if self._ended(facts, scope):
                return
        before.restore()
        scope.put_back(variables)
        self._unrolled_for(iteration, first, body, facts, scope, reason)

    def _unrolled_for(self, iteration: Any, first: int, body: Callable, facts: Facts, scope: Scope, reason: Exception) -> None:
        known = type(iteration.count) is not Tracer
        try:
            items = list(iteration)
        except (TracerBoolError, TracerConversionError):
            raise self._explained(facts, reason) from reason
        try:
            self._plain_for(items[first:], body, facts, scope)
        except TraceSizeError as error:
            error.args = (f"{error} `lift` left the loop at {self.filename}:{facts.line} to Python: {_said(reason)}.",)
            raise
        if known and len(items) >= WARNED:
            said = f"this loop of {len(items)} turns cannot be compiled as a loop and is unrolled: {_said(reason)}"
            warnings.warn_explicit(said, LiftWarning, self.filename, facts.line)

    def _explained(self, facts: Facts, reason: Exception) -> Exception:
        if isinstance(reason, TracejitError) and not isinstance(reason, Stays):
            return reason
        return TracerConversionError(f"{self.filename}:{facts.line}: this loop cannot be compiled, and cannot be unrolled: {_said(reason)}")

    def _plain_for(self, iterable: Any, body: Callable, facts: Facts, scope: Scope) -> None:
        for item in iterable:
            body(item)
            if facts.exits:
                stop = self._stop(facts, scope)
                if stop is True:
                    return
                if stop is not False:
                    self._guarded_rest(iterable, item, body, facts, scope)
                    return

    def _stop(self, facts: Facts, scope: Scope) -> Any:
        """Whether a flag ends the loop: True, False, or a traced value."""
        return logic.not_(logic.unset(*(scope.variable(name).get() for name in facts.exits)))

    def _ended(self, facts: Facts, scope: Scope) -> bool:
        return bool(self._stop(facts, scope)) if facts.exits else False

    def _guarded_rest(self, iterable: Any, done: Any, body: Callable, facts: Facts, scope: Scope) -> None:
        """The turns of an unrolled loop after a traced `break`: each is done only if the loop has not ended."""
        items = iter(iterable)
        for item in items:
            if item is done:
                break
        for item in items:
            stop = self._stop(facts, scope)
            if stop is True:
                return
            if stop is False:
                body(item)
            else:
                state = State(facts._replace(bound=tuple(dict.fromkeys((*facts.bound, *facts.exits)))), scope)
                self._branch(state, stop, lambda: None, lambda item=item: body(item), (id(self), id(facts)))

    def while_(self, test: FunctionType, body: FunctionType, number: int) -> None:
        facts, scope = self.facts[number], Scope(test, body)
        turns, reason = 0, None
        while True:
            going = logic.and_(logic.not_(self._stop(facts, scope)) if facts.exits else True, test)
            asked = logic.is_condition(going)
            if not asked and not going:
                return
            # A loop on known numbers with traced values in it is compiled too, if it is long.  What has failed is tried again, ever more seldom: the
            # first turns of a loop may be unlike the others.
            again = turns > UNROLLED and turns & (turns - 1) == 0 and self._traced_while(facts, scope)
            if again or asked and reason is None:
                reason = self._compiled_while(test, body, facts, scope)
                if reason is None:
                    return
                if asked and not self._answers():
                    raise self._explained(facts, reason) from reason
                if turns == WARNED:
                    said = f"this loop cannot be compiled as a loop and is unrolled: {_said(reason)}"
                    warnings.warn_explicit(said, LiftWarning, self.filename, facts.line)
            if asked and not going:  # `bool` asks the arguments of the call
                return
            turns += 1
            body()

    def _traced_while(self, facts: Facts, scope: Scope) -> bool:
        return any(t.values is None for t in active_traces()) and self._traced(facts, scope, None)

    def _compiled_while(self, test: Callable, body: Callable, facts: Facts, scope: Scope) -> Exception | None:
        """Emit the rest of the loop; why not, where that is not possible."""
        before = Containers(scope.values(facts.read))
        variables = scope.save(facts.assigned)
        try:
            state = State(facts, scope)
            loop(state, Turns(f"loop at {self.filename}:{facts.line}", None, lambda _: body(), test, facts.exits))
        except _NOT_OURS:
            raise
        except Exception as error:
            before.restore()
            scope.put_back(variables)
            return error
        _running.notes.update(state.notes)
        return None

    @staticmethod
    def _answers() -> bool:
        """Whether a loop that is not compiled may go on as Python: the innermost trace knows values, or is told them."""
        inner = active_traces()[-1]
        return inner.values is not None or inner.answers()

    @staticmethod
    def _traced(facts: Facts, scope: Scope, iterable: Any) -> bool:
        """Whether traced values go into a loop: else it is left to Python, whose numbers may be sizes and the like."""
        found = Containers({**scope.values(facts.read | set(facts.bound)), "": iterable})
        return found.traced


def _said(reason: Exception) -> str:
    return str(reason) if isinstance(reason, TracejitError) else f"{type(reason).__name__}: {reason}"


def _has_traced(index: Any) -> bool:
    kind = type(index)
    if kind is Tracer:
        return not is_constant(index)
    if kind is tuple:
        return any(map(_has_traced, index))
    return kind is builtins.slice and any(map(_has_traced, (index.start, index.stop, index.step)))


def _of_numbers(x: list | tuple, index: Tracer) -> Any:
    """An item of a list of numbers, at a traced index."""
    kinds = {type(v) for v in x}
    if index.owner.knows(index.atom) or len(kinds) != 1 or not kinds <= {int, float, complex, bool}:
        if symbolic(index) and not index.owner.answers():
            said = f"a {type(x).__name__} is indexed by a traced number: make it an array (`np.array`), or index it by a known number"
            raise Stays(at_user_line(said))
        return x[index]
    found = constant(np.array(x))[index]
    return Tracer(found.owner, found.atom, array_type(x[0]).weak) if type(found) is Tracer else found


__all__ = ["LiftWarning", "Runtime"]
