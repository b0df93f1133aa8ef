"""Datasets, samplers and loaders: torch's own order for the same seed, threads, exceptions in them, and what is refused."""

import threading
import time
import traceback
from collections import namedtuple

import numpy as np
import pytest

from tracejit import torch
from tracejit.torch.utils import data


class Squares(data.Dataset):
    def __init__(self, n):
        self.n = n

    def __len__(self):
        return self.n

    def __getitem__(self, i):
        if not 0 <= i < self.n:
            raise IndexError(i)
        return i, float(i * i)


class Letters(data.IterableDataset):
    def __init__(self, text):
        self.text = text

    def __iter__(self):
        info = data.get_worker_info()
        return iter(self.text if info is None else self.text[info.id :: info.num_workers])

    def __len__(self):
        return len(self.text)


def numbers(loader):
    return [batch.tolist() for batch in loader]


# -- the order
ORDERS = {
    "RandomSampler": lambda d: list(d.RandomSampler(range(10))),
    "more than there are": lambda d: list(d.RandomSampler(range(5), num_samples=12)),
    "as many as there are": lambda d: list(d.RandomSampler(range(5), num_samples=10)),
    "with replacement": lambda d: list(d.RandomSampler(range(7), replacement=True, num_samples=70)),
    "of a subset": lambda d: list(d.SubsetRandomSampler([5, 3, 8, 1, 9])),
    "batches": lambda d: list(d.BatchSampler(d.RandomSampler(range(10)), 3, drop_last=False)),
    "weighted": lambda d: list(d.WeightedRandomSampler([0.1, 5.0, 2.0, 0.0, 1.0], 20)),
    "split": lambda d: [list(s.indices) for s in d.random_split(range(10), [0.5, 0.3, 0.2])],
    "split by lengths": lambda d: [list(s.indices) for s in d.random_split(range(10), [6, 4])],
    "loader": lambda d: numbers(d.DataLoader(range(10), batch_size=3, shuffle=True)),
    "two epochs": lambda d: [numbers(loader) for loader in [d.DataLoader(range(10), batch_size=4, shuffle=True, drop_last=True)] * 2],
    "in order": lambda d: numbers(d.DataLoader(range(10), batch_size=4)),
}


@pytest.mark.parametrize("name", ORDERS)
def test_the_order_is_torchs(name):
    real = pytest.importorskip("torch")
    import torch.utils.data as theirs

    for seed in (0, 1, 42):
        torch.manual_seed(seed)
        real.manual_seed(seed)
        assert ORDERS[name](data) == ORDERS[name](theirs)
        assert torch.rand(1).item() == real.rand(1).item()  # and the stream goes on as torch's


def test_the_order_with_a_generator_is_torchs():
    real = pytest.importorskip("torch")
    import torch.utils.data as theirs

    def run(lib, d):
        g = lib.Generator().manual_seed(5)
        loader = d.DataLoader(range(9), batch_size=2, shuffle=True, generator=g)
        return [numbers(loader), numbers(loader), [list(s.indices) for s in d.random_split(range(6), [3, 3], generator=g)]]

    assert run(torch, data) == run(real, theirs)


def test_fixed_orders():
    torch.manual_seed(0)
    assert list(data.RandomSampler(range(6), generator=torch.Generator().manual_seed(0))) == [2, 5, 3, 0, 1, 4]
    assert [len(s) for s in data.random_split(range(10), [0.35, 0.35, 0.3])] == [4, 3, 3]


# -- datasets
def test_tensor_dataset():
    x, y = torch.arange(6.0).reshape(3, 2), torch.tensor([5, 6, 7])
    d = data.TensorDataset(x, y)
    assert len(d) == 3 and d[1][0].tolist() == [2.0, 3.0] and d[-1][1].item() == 7
    with pytest.raises(ValueError, match="3, 2 rows"):
        data.TensorDataset(x, y[:2])


def test_datasets_of_datasets():
    joined = Squares(2) + Squares(3)
    assert len(joined) == 5 and joined[3] == (1, 1.0) and joined[-1] == (2, 4.0)
    with pytest.raises(IndexError, match="index 5"):
        joined[5]
    stacked = data.StackDataset(Squares(2), "ab")
    assert len(stacked) == 2 and stacked[1] == ((1, 1.0), "b")
    assert data.StackDataset(a="xy", b=[1, 2])[0] == {"a": "x", "b": 1}
    assert list(Letters("ab") + Letters("c")) == ["a", "b", "c"]
    assert data.Subset(data.Subset("abcdef", [1, 3, 5]), [2])[0] == "f"


def test_misuse_of_datasets():
    for make, text in [
        (lambda: data.ConcatDataset([]), "empty"), (lambda: data.ConcatDataset([Letters("a")]), "ChainDataset"),
        (lambda: data.StackDataset(), "At least one"), (lambda: data.StackDataset("a", b="c"), "not both"),
        (lambda: data.StackDataset("a", "bc"), "Size mismatch"), (lambda: data.random_split(range(3), [1, 1]), r"\[1, 1\] of 3"),
        (lambda: data.random_split(range(3), [1.5, -0.5]), "index 0"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=text):
            make()
    with pytest.raises(NotImplementedError, match="__getitem__"):
        data.Dataset()[0]
    with pytest.warns(UserWarning, match="index 1 is 0"):
        data.random_split(range(1), [0.5, 0.5])


# -- samplers
def test_weights():
    drawn = list(data.WeightedRandomSampler([0.0, 1.0, 3.0], 4000, generator=torch.Generator().manual_seed(0)))
    assert set(drawn) == {1, 2} and 0.7 < drawn.count(2) / 4000 < 0.8
    assert sorted(data.WeightedRandomSampler([1.0, 2.0, 3.0], 3, replacement=False)) == [0, 1, 2]


def test_misuse_of_samplers():
    for make in [
        lambda: data.RandomSampler([]), lambda: data.RandomSampler([1], num_samples=0), lambda: data.BatchSampler([1], 0, False),
        lambda: data.BatchSampler([1], 2, 1), lambda: data.WeightedRandomSampler([1.0], -1), lambda: data.WeightedRandomSampler([[1.0]], 1),
    ]:  # fmt: skip
        with pytest.raises(ValueError):
            make()


# -- batches
Pair = namedtuple("Pair", "x y")


def test_collate():
    collate = data.default_collate
    assert collate([1, 2]).dtype == torch.int64 and collate([1.0, 2.0]).dtype == torch.float64 and collate([True, False]).dtype == torch.bool
    assert collate([np.ones(2), np.zeros(2)]).tolist() == [[1.0, 1.0], [0.0, 0.0]] and collate([np.float32(1), np.float32(2)]).dtype == torch.float32
    assert collate(["a", "b"]) == ["a", "b"]
    both = collate([{"x": torch.ones(2), "n": (1, "u")}, {"x": torch.zeros(2), "n": (2, "v")}])
    assert both["x"].tolist() == [[1.0, 1.0], [0.0, 0.0]] and both["n"][0].tolist() == [1, 2] and both["n"][1] == ("u", "v")
    pair = collate([Pair(1, 2), Pair(3, 4)])
    assert type(pair) is Pair and pair.y.tolist() == [2, 4]
    with pytest.raises(RuntimeError, match=r"shapes \[\(1,\), \(2,\)\]"):
        collate([torch.ones(1), torch.ones(2)])
    with pytest.raises(RuntimeError, match="equal size"):
        collate([(1,), (1, 2)])
    with pytest.raises(TypeError, match="found <class 'object'>"):
        collate([object()])


def test_batches_of_tensors_at_once_are_what_collate_gives():
    d = data.TensorDataset(torch.arange(10.0).reshape(5, 2), torch.arange(5))
    part = data.Subset(d, [4, 2, 0])
    for source in (d, part):
        fast = list(data.DataLoader(source, batch_size=2))
        slow = list(data.DataLoader(source, batch_size=2, collate_fn=lambda examples: data.default_collate(examples)))
        assert [[t.tolist() for t in b] for b in fast] == [[t.tolist() for t in b] for b in slow]
        assert type(fast[0]) is type(slow[0]) is list
    leaf = torch.ones(4, 2, requires_grad=True)
    (batch,) = next(iter(data.DataLoader(data.TensorDataset(leaf), batch_size=2)))
    batch.sum().backward()
    assert leaf.grad.tolist() == [[1.0, 1.0]] * 2 + [[0.0, 0.0]] * 2


def test_lengths():
    assert len(data.DataLoader(Squares(10), batch_size=3)) == 4 == len(list(data.DataLoader(Squares(10), batch_size=3)))
    assert len(data.DataLoader(Squares(10), batch_size=3, drop_last=True)) == 3
    assert len(data.DataLoader(Squares(10), batch_size=None)) == 10
    assert len(data.DataLoader(Letters("abcde"), batch_size=2)) == 3


def test_single_examples_and_own_batches():
    assert [(i, y) for i, y in data.DataLoader(Squares(3), batch_size=None)] == [(0, 0.0), (1, 1.0), (2, 4.0)]
    assert numbers(data.DataLoader(range(5), batch_sampler=[[4, 0], [1]])) == [[4, 0], [1]]
    assert numbers(data.DataLoader(range(5), sampler=[3, 1, 2], batch_size=2)) == [[3, 1], [2]]
    assert list(data.DataLoader(range(3), batch_size=2, collate_fn=tuple)) == [(0, 1), (2,)]


def test_batches_got_at_once():
    class Several(Squares):
        def __getitems__(self, indices):
            return [i * 10 for i in indices]

    assert numbers(data.DataLoader(Several(3), batch_size=2)) == [[0, 10], [20]]


def test_iterable():
    assert list(data.DataLoader(Letters("abcde"), batch_size=2)) == [["a", "b"], ["c", "d"], ["e"]]
    assert list(data.DataLoader(Letters("abcde"), batch_size=2, drop_last=True)) == [["a", "b"], ["c", "d"]]
    assert list(data.DataLoader(Letters("abc"), batch_size=None)) == ["a", "b", "c"]


def test_misuse_of_loaders():
    for options, text in [
        ({"num_workers": -1}, "non-negative"), ({"prefetch_factor": 2}, "needs workers"), ({"shuffle": True, "sampler": [1]}, "mutually exclusive"),
        ({"batch_sampler": [[1]], "batch_size": 2}, "mutually exclusive"), ({"batch_size": None, "drop_last": True}, "mutually exclusive"),
        ({"timeout": -1}, "timeout"), ({"persistent_workers": True}, "num_workers"), ({"batch_size": 0}, "batch_size"),
    ]:  # fmt: skip
        with pytest.raises(ValueError, match=text):
            data.DataLoader(range(3), **options)
    with pytest.raises(ValueError, match="IterableDataset"):
        data.DataLoader(Letters("abc"), shuffle=True)


# -- threads
@pytest.mark.parametrize("workers", [1, 2, 3])
def test_workers_give_the_same_batches(workers):
    tensors = data.TensorDataset(torch.arange(7))
    for source, options in [(Squares(11), {"batch_size": 3}), (tensors, {"batch_size": 2}), (Squares(4), {"batch_size": None})]:
        for shuffle in (False, True):
            torch.manual_seed(3)
            alone = [[np.asarray(part).tolist() for part in b] for b in data.DataLoader(source, shuffle=shuffle, **options)]
            torch.manual_seed(3)
            threads = data.DataLoader(source, shuffle=shuffle, num_workers=workers, **options)
            assert [[np.asarray(part).tolist() for part in b] for b in threads] == alone


def test_workers_know_themselves_and_share_a_stream():
    started = []
    batches = list(data.DataLoader(Letters("abcdefg"), batch_size=2, num_workers=2, worker_init_fn=started.append))
    assert batches == [["a", "c"], ["b", "d"], ["e", "g"], ["f"]] and sorted(started) == [0, 1]
    assert data.get_worker_info() is None

    class Seeds(Squares):
        def __getitem__(self, i):
            info = data.get_worker_info()
            assert threading.current_thread() is not threading.main_thread() and info.dataset is self
            return info.id, info.num_workers, info.seed

    rows = [[part.item() for part in b] for b in data.DataLoader(Seeds(4), num_workers=2)]
    assert [r[0] for r in rows] == [0, 1, 0, 1] and rows[1][2] == rows[0][2] + 1 and rows[0] == rows[2]


def test_batches_are_made_ahead():
    made = threading.Event()

    class Watched(Squares):
        def __getitem__(self, i):
            if i == 2:
                made.set()
            return i

    batches = iter(data.DataLoader(Watched(100), num_workers=1, prefetch_factor=3))
    next(batches)
    assert made.wait(20)
    batches.close()


class Broken(Squares):
    def __getitem__(self, i):
        if i == 3:
            raise KeyError("example 3 is broken")
        return i


@pytest.mark.parametrize("workers", [0, 2])
def test_exceptions_come_with_the_workers_traceback(workers):
    seen = []
    with pytest.raises(KeyError, match="example 3 is broken") as caught:
        for batch in data.DataLoader(Broken(6), num_workers=workers):
            seen.append(batch.item())
    assert seen == [0, 1, 2]
    assert "__getitem__" in "".join(traceback.format_exception(caught.value)) and __file__ in "".join(traceback.format_exception(caught.value))


def test_exceptions_of_initializers_and_streams():
    def fail(number):
        raise RuntimeError(f"worker {number} cannot start")

    with pytest.raises(RuntimeError, match="worker 0 cannot start"):
        list(data.DataLoader(Squares(3), num_workers=1, worker_init_fn=fail))

    class Stops(data.IterableDataset):
        def __iter__(self):
            yield 1
            raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        list(data.DataLoader(Stops(), num_workers=2))


def test_threads_end():
    before = threading.active_count()
    for _ in data.DataLoader(Squares(50), num_workers=2):
        break
    list(data.DataLoader(Squares(5), num_workers=2))
    deadline = time.monotonic() + 20
    while threading.active_count() > before and time.monotonic() < deadline:
        time.sleep(0.01)
    assert threading.active_count() <= before


def test_timeout():
    blocked = threading.Event()

    class Slow(Squares):
        def __getitem__(self, i):
            blocked.wait(20)
            return i

    with pytest.raises(RuntimeError, match="timed out after 0.05"):
        next(iter(data.DataLoader(Slow(2), num_workers=1, timeout=0.05)))
    blocked.set()


def test_examples_of_subclasses_are_theirs():
    class Doubled(data.TensorDataset):
        def __getitem__(self, i):
            return tuple(2 * t for t in super().__getitem__(i))

    class Shifted(data.Subset):
        def __getitem__(self, i):
            return super().__getitem__(i)[0] + 1

    class Many(data.TensorDataset):
        def __getitems__(self, places):
            return [(torch.tensor(float(len(places))),) for _ in places]

    x = torch.arange(4.0)
    assert [b[0].tolist() for b in data.DataLoader(Doubled(x), batch_size=3)] == [[0.0, 2.0, 4.0], [6.0]]
    assert [b[0].tolist() for b in data.DataLoader(data.Subset(Doubled(x), [3, 1]), batch_size=2)] == [[6.0, 2.0]]
    assert [b.tolist() for b in data.DataLoader(Shifted(data.TensorDataset(x), [3, 1]), batch_size=2)] == [[4.0, 2.0]]
    assert [b[0].tolist() for b in data.DataLoader(Many(x), batch_size=3)] == [[3.0, 3.0, 3.0], [1.0]]


def test_an_iterator_knows_how_many_batches_there_are():
    for workers in (0, 2):
        batches = iter(data.DataLoader(range(5), batch_size=2, num_workers=workers))
        assert len(batches) == 3 and next(batches).tolist() == [0, 1] and iter(batches) is batches
        assert [b.tolist() for b in batches] == [[2, 3], [4]]
