"""`DataLoader`: batches of a dataset, made as they are asked for, or ahead of time by threads.

NumPy and compiled programs let go of the interpreter lock while they compute, so threads are workers enough, and nothing has to be copied between
processes.  Batch i is made by worker i % num_workers, as in torch, and batches come in order.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

from ....errors import at_user_line
from ...random import Generator
from .collate import default_collate, default_convert
from .dataset import Dataset, IterableDataset
from .sampler import BatchSampler, RandomSampler, SequentialSampler, draw_seed


class WorkerInfo(NamedTuple):
    """What a worker knows of itself: its number, how many there are, a seed of its own, the dataset."""

    id: int
    num_workers: int
    seed: int
    dataset: Any


_here = threading.local()


def get_worker_info() -> WorkerInfo | None:
    """The worker that this is called in; None in the main thread."""
    return getattr(_here, "worker", None)


class DataLoader:
    """Iterating over it gives the batches of one epoch.

    dataset: something that can be indexed and has a length, or an `IterableDataset`.
    batch_size: how many examples; None for examples on their own. shuffle: in random order, as torch's for the same seed.
    sampler, batch_sampler: another order of examples, or of lists of them. drop_last: without a last batch that is shorter.
    collate_fn: makes a batch of a list of examples (`default_collate`). generator: where random order comes from.
    num_workers: threads that make batches ahead of time, `prefetch_factor` each; `worker_init_fn(number)` is called first in each.
    An exception in a worker is raised where the batch is due, with the worker's traceback.
    Examples that draw from the global random stream in workers do so in no certain order; give each worker one, by `get_worker_info().seed`.
    timeout: how many seconds to wait for a worker's batch, 0 without limit. pin_memory, persistent_workers: accepted, without effect.

    >>> from tracejit import torch
    >>> from tracejit.torch.utils.data import DataLoader, TensorDataset
    >>> data = TensorDataset(torch.arange(5), torch.arange(5.0) ** 2)
    >>> for x, y in DataLoader(data, batch_size=3):
    ...     print(x, y)
    tensor([0, 1, 2]) tensor([0., 1., 4.])
    tensor([3, 4]) tensor([ 9., 16.])
    """

    def __init__(
        self, dataset: Any, batch_size: int | None = 1, shuffle: bool | None = None, sampler: Iterable | None = None,
        batch_sampler: Iterable | None = None, num_workers: int = 0, collate_fn: Callable | None = None, pin_memory: bool = False,
        drop_last: bool = False, timeout: float = 0, worker_init_fn: Callable[[int], Any] | None = None, multiprocessing_context: Any = None,
        generator: Generator | None = None, *, prefetch_factor: int | None = None, persistent_workers: bool = False,
    ):  # fmt: skip
        _check(num_workers >= 0, "num_workers option should be non-negative; use num_workers=0 to make batches without threads")
        _check(timeout >= 0, "timeout option should be non-negative")
        _check(num_workers > 0 or prefetch_factor is None, "prefetch_factor needs workers: give num_workers > 0")
        _check(prefetch_factor is None or prefetch_factor > 0, "prefetch_factor should be positive")
        _check(num_workers > 0 or not persistent_workers, "persistent_workers option needs num_workers > 0")
        _check(sampler is None or not shuffle, "sampler option is mutually exclusive with shuffle")
        self._iterable = isinstance(dataset, IterableDataset)
        if self._iterable:
            _check(not shuffle, f"DataLoader with IterableDataset: expected unspecified shuffle option, but got shuffle={shuffle}")
            _check(sampler is None and batch_sampler is None, "DataLoader with IterableDataset: expected unspecified sampler and batch_sampler")
        if batch_sampler is not None:
            alone = batch_size == 1 and not shuffle and sampler is None and not drop_last
            _check(alone, "batch_sampler option is mutually exclusive with batch_size, shuffle, sampler, and drop_last")
            batch_size = None
        elif batch_size is None:
            _check(not drop_last, "batch_size=None option disables auto-batching and is mutually exclusive with drop_last")
        if sampler is None and not self._iterable:
            sampler = RandomSampler(dataset, generator=generator) if shuffle else SequentialSampler(dataset)
        if batch_size is not None and batch_sampler is None and not self._iterable:
            batch_sampler = BatchSampler(sampler, batch_size, drop_last)
        self.dataset, self.batch_size, self.sampler, self.batch_sampler, self.generator = dataset, batch_size, sampler, batch_sampler, generator
        self.num_workers, self.drop_last, self.timeout, self.worker_init_fn = num_workers, drop_last, timeout, worker_init_fn
        self.prefetch_factor = 2 if num_workers and prefetch_factor is None else prefetch_factor
        self.pin_memory, self.persistent_workers = pin_memory, persistent_workers
        self._batched = batch_sampler is not None or (self._iterable and batch_size is not None)
        self.collate_fn = collate_fn or (default_collate if self._batched else default_convert)

    def __len__(self) -> int:
        if not self._iterable:
            return len(self.batch_sampler if self._batched else self.sampler)
        n = len(self.dataset)
        if self.batch_size is None:
            return n
        return n // self.batch_size if self.drop_last else -(-n // self.batch_size)

    def __iter__(self) -> Iterator[Any]:
        if self._iterable:
            orders, fetch = None, None
        else:
            orders, fetch = iter(self.batch_sampler if self._batched else self.sampler), self._fetch
        seed = draw_seed(self.generator)  # drawn by torch, too, before the order is
        if self.num_workers:
            return _Batches(self, self._by_workers(orders, seed))
        return _Batches(self, map(fetch, orders) if fetch is not None else self._stream())

    # -- making one batch
    def _fetch(self, index: Any) -> Any:
        """The batch of these examples, or the example of this number."""
        dataset = self.dataset
        if not self._batched:
            return self.collate_fn(dataset[index])
        if self.collate_fn is default_collate and isinstance(dataset, Dataset):
            batch = dataset._batch(index)
            if batch is not None:
                return batch
        several = getattr(dataset, "__getitems__", None)
        return self.collate_fn(several(index) if callable(several) else [dataset[i] for i in index])

    def _stream(self) -> Iterator[Any]:
        """The batches of an iterable dataset."""
        if not self._batched:
            yield from map(self.collate_fn, self.dataset)
            return
        examples = []
        for example in self.dataset:
            examples.append(example)
            if len(examples) == self.batch_size:
                yield self.collate_fn(examples)
                examples = []
        if examples and not self.drop_last:
            yield self.collate_fn(examples)

    # -- threads
    def _by_workers(self, orders: Iterator[Any] | None, seed: int) -> Iterator[Any]:
        workers = [_Worker(self, i, seed + i) for i in range(self.num_workers)]
        try:
            if orders is None:
                yield from self._streams(workers)
                return
            due: deque[Future] = deque()
            for number, index in enumerate(orders):
                due.append(workers[number % len(workers)].submit(self._fetch, index))
                if len(due) >= len(workers) * self.prefetch_factor:
                    yield self._result(due.popleft())
            while due:
                yield self._result(due.popleft())
        finally:
            for worker in workers:
                worker.close()

    def _streams(self, workers: list[_Worker]) -> Iterator[Any]:
        """One batch of each worker's stream after the other, until all have ended."""
        due: deque[tuple[_Worker, Future]] = deque()
        for worker in workers:
            worker.stream = self._stream()
        for _ in range(self.prefetch_factor):
            due.extend((worker, worker.submit(next, worker.stream, _END)) for worker in workers)
        while due:
            worker, batch = due.popleft()
            batch = self._result(batch)
            if batch is not _END:
                due.append((worker, worker.submit(next, worker.stream, _END)))
                yield batch

    def _result(self, batch: Future) -> Any:
        try:
            return batch.result(self.timeout or None)
        except TimeoutError as error:
            if batch.done():  # the example's own
                raise
            raise RuntimeError(at_user_line(f"DataLoader timed out after {self.timeout} seconds")) from error


_END = object()


class _Batches:
    """An iterator over the batches of a loader, which knows how many there are."""

    def __init__(self, loader: DataLoader, batches: Iterator[Any]):
        self._loader, self._batches = loader, batches

    def __iter__(self) -> _Batches:
        return self

    def __next__(self) -> Any:
        return next(self._batches)

    def __len__(self) -> int:
        return len(self._loader)

    def close(self) -> None:
        """Let the workers go before the end."""
        close = getattr(self._batches, "close", None)
        if close is not None:
            close()


class _Worker:
    """A thread that does what it is given, one after the other."""

    stream: Iterator[Any]

    def __init__(self, loader: DataLoader, number: int, seed: int):
        info = WorkerInfo(number, loader.num_workers, seed, loader.dataset)
        self._started: Future | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix=f"tracejit-data-{number}")
        self._started = self._thread.submit(self._start, info, loader.worker_init_fn)

    @staticmethod
    def _start(info: WorkerInfo, initialize: Callable[[int], Any] | None) -> None:
        _here.worker = info
        if initialize is not None:
            initialize(info.id)

    def submit(self, function: Callable, *args: Any) -> Future:
        return self._thread.submit(self._run, function, *args)

    def _run(self, function: Callable, *args: Any) -> Any:
        self._started.result()  # raises what `worker_init_fn` has raised
        return function(*args)

    def close(self) -> None:
        self._thread.shutdown(wait=False, cancel_futures=True)


def _check(valid: bool, message: str) -> None:
    if not valid:
        raise ValueError(at_user_line(message))
