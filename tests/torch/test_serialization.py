"""Checkpoints: what is written is read again, here and by torch; nothing but data is read; damaged files are errors."""

import io
import os
import pickle
import pickletools
import zipfile
from collections import Counter, OrderedDict

import numpy as np
import pytest

from tracejit import torch
from tracejit.torch.serialization import load, save, unpickle
from tracejit.torch.serialization.pickling import Call, Writer


def saved(obj):
    file = io.BytesIO()
    save(obj, file)
    return file


def archive_of(pickled, storages=(), compression=zipfile.ZIP_STORED, extra=()):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", compression) as z:
        z.writestr("a/data.pkl", pickled)
        z.writestr("a/byteorder", "little")
        for i, data in enumerate(storages):
            z.writestr(f"a/data/{i}", data)
        for name, data in extra:
            z.writestr(name, data)
    return file


PLAIN = {
    "none": None, "flags": [True, False], "ints": (0, 255, 256, -1, 2**31, -(2**31), 2**70, -(2**70)), "float": 0.1, "text": "héllo 𝄞", "empty": "",
    "bytes": b"\x00\xff", "bytearray": bytearray(b"ab\x80"), "complex": 1 - 2j, "set": {1, "a"}, "frozen": frozenset({2}), "nothing": ((), [], {}),
    "ordered": OrderedDict([("b", 1), ("a", 2)]), "counter": Counter({3: 2}), 7: {"nested": [[(1,)]]}, (1, "k"): None,
}  # fmt: skip


def test_plain_data_comes_back():
    again = load(saved(PLAIN))
    assert again == PLAIN and list(again) == list(PLAIN)
    assert type(again["ordered"]) is OrderedDict and type(again["counter"]) is Counter and type(again["bytearray"]) is bytearray


def test_shared_and_cyclic_containers():
    inner = [1]
    outer = {"a": inner, "b": inner}
    outer["self"] = outer
    again = load(saved(outer))
    assert again["a"] is again["b"] and again["self"] is again


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
def test_plain_pickles_of_every_protocol(protocol):
    data = {k: v for k, v in PLAIN.items() if protocol < 5 or k != "bytearray"}
    assert load(archive_of(pickle.dumps(data, protocol))) == data


@pytest.mark.parametrize("dtype", "float64 float32 float16 int64 int32 int16 int8 uint8 bool complex64 complex128 uint16 uint32 uint64".split())
def test_dtypes(dtype):
    array = np.arange(6).reshape(2, 3).astype(dtype)
    again = load(saved(torch.from_numpy(array)))
    assert str(again.dtype) == f"torch.{dtype}"
    np.testing.assert_array_equal(again.numpy(), array)


@pytest.mark.parametrize("shape", [(), (0,), (2, 0, 3), (1,), (2, 3, 4)])
def test_shapes(shape):
    array = np.random.default_rng(0).random(shape)
    again = load(saved(torch.from_numpy(array)))
    assert tuple(again.shape) == shape
    np.testing.assert_array_equal(again.numpy(), array)


def test_views_share_their_storage():
    base = torch.arange(12.0).reshape(3, 4)
    again = load(saved({"base": base, "t": base.t(), "row": base[1], "column": base[:, 2], "same": base}))
    for name, view in {"t": base.t(), "row": base[1], "column": base[:, 2]}.items():
        np.testing.assert_array_equal(again[name].numpy(), view.numpy())
    assert again["same"] is again["base"]
    again["base"][1, 2] = 100.0
    assert again["t"][2, 1] == again["row"][2] == again["column"][1] == 100.0


def test_a_view_alone_and_backward_strides():
    base = torch.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(load(saved(base[1:, ::2])).numpy(), base.numpy()[1:, ::2])
    reverse = torch.from_numpy(np.arange(5.0)[::-1])
    np.testing.assert_array_equal(load(saved(reverse)).numpy(), [4, 3, 2, 1, 0])


def test_flags_and_parameters():
    again = load(saved({"w": torch.nn.Parameter(torch.ones(2)), "f": torch.nn.Parameter(torch.ones(2), requires_grad=False),
                        "x": torch.ones(2, requires_grad=True), "y": torch.ones(2)}))  # fmt: skip
    assert type(again["w"]) is torch.nn.Parameter and again["w"].requires_grad
    assert type(again["f"]) is torch.nn.Parameter and not again["f"].requires_grad
    assert type(again["x"]) is torch.Tensor and again["x"].requires_grad and again["x"].is_leaf
    assert not again["y"].requires_grad


def test_torch_values():
    values = {"dtype": torch.float16, "size": torch.Size([2, 3]), "device": torch.device("cpu")}
    again = load(saved(values))
    assert again == values and type(again["size"]) is torch.Size


def test_metadata_of_a_state_dict():
    state = OrderedDict(a=torch.ones(1))
    state._metadata = OrderedDict({"": {"version": 2}})
    assert load(saved(state))._metadata == {"": {"version": 2}}


def test_saving_is_all_or_nothing(tmp_path):
    path = tmp_path / "model.pt"
    save({"a": torch.ones(2)}, path)
    before = path.read_bytes()
    with pytest.raises(TypeError, match=r"the object\['f'\]\[1\] is a builtins.function.*state_dict"):
        save({"a": torch.ones(2), "f": [1, lambda: 0]}, path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["model.pt"]
    assert load(str(path))["a"].tolist() == [1.0, 1.0]


# -- files that want to be more than data
class Attack:
    def __init__(self, function, *arguments):
        self.called = function, arguments

    def __reduce__(self):
        return self.called


class Stateful:
    def __init__(self):
        self.x = 1


@pytest.mark.parametrize("protocol", [0, 2, 4])
@pytest.mark.parametrize(
    "obj",
    [
        Attack(os.system, "true"), Attack(eval, "1+1"), Attack(getattr, 1, "real"), Attack(print, "x"), Stateful(), os.path.join, np.arange(3),
        object(), [Attack(exec, "pass")], {"k": Attack(__import__, "os")},
    ],
)  # fmt: skip
def test_calls_and_classes_are_refused(obj, protocol):
    with pytest.raises(pickle.UnpicklingError, match="Only tensors, parameters"):
        load(archive_of(pickle.dumps(obj, protocol)))


G = b"\x80\x02ctorch._utils\n_rebuild_tensor_v2\n"
STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02tQ"


HUGE = b"\x8a\x08\x00\x00\x00\x00\x00\x00\x00\x20"


@pytest.mark.parametrize(
    "pickled",
    [
        b"\x80\x02cos\nsystem\nX\x04\x00\x00\x00true\x85R.",  # a function by name
        b"\x80\x02cos.path\nos.system\n.",  # a dotted name
        b"(S'true'\nios\nsystem\n.",  # INST
        b"(cos\nsystem\nS'true'\no.",  # OBJ
        b"\x80\x02ccollections\nOrderedDict\n)\x81.",  # NEWOBJ, even of an allowed type
        b"\x80\x02\x82\x01.",  # a registered extension
        G + b"}X\x0c\x00\x00\x00__defaults__)sb.",  # attributes of a function of ours
        b"\x80\x02]}X\x01\x00\x00\x00aK\x01sb.",  # attributes of a list
        b"\x80\x02ccollections\nOrderedDict\n)R}X\x05\x00\x00\x00itemsK\x01sb.",  # a method of a dictionary overwritten
        b"\x80\x02K\x01)R.",  # a number called
        b"\x80\x02]K\x01K\x02s.",  # items of a list
        b"\x80\x02}K\x01a.",  # append to a dictionary
        b"\x80\x02P0\n.",  # a persistent id as text
        b"\x80\x02K\x05Q.",  # a persistent id that is no storage
        b"\x80\x02(X\x07\x00\x00\x00storageccollections\nOrderedDict\nX\x01\x00\x00\x000X\x03\x00\x00\x00cpuK\x02tQ.",  # a storage of dictionaries
        b"\x80\x02ctorch\nload\nX\x01\x00\x00\x00x\x85R.",
        b"\x80\x02ctorch.hub\nload\n.",
        b"\x80\x02ctorch\nfloat32\n)R.",  # a dtype called
        G + b"(" + STORAGE + b"J\xff\xff\xff\xffK\x02\x85K\x01\x85\x89)tR.",  # an offset before the beginning
        G + b"(" + STORAGE + b"K\x00K\x02\x85J\xff\xff\xff\xff\x85\x89)tR.",  # a stride backwards
        G + b"(" + STORAGE + b"K\x00K\x02\x85K\x01K\x01\x86\x89)tR.",  # more strides than extents
        G + b"(K\x01K\x00K\x02\x85K\x01\x85\x89)tR.",  # no storage
        b"\x80\x02}K\x01\x85\x85\x85K\x01s.",  # nested tuples as a key: their hash would recurse
    ],
)
def test_crafted_pickles_are_refused(pickled):
    with pytest.raises(pickle.UnpicklingError, match="Only tensors, parameters"):
        load(archive_of(pickled, [bytes(8)]))


@pytest.mark.parametrize(
    "pickled, message",
    [
        (G + b"(" + STORAGE + b"K\x01K\x02\x85K\x01\x85\x89)tR.", "does not fit into its storage of 2 elements"),
        (G + b"(" + STORAGE + b"K\x00K\x03\x85K\x01\x85\x89)tR.", "does not fit"),
        (G + b"(" + STORAGE + b"K\x00\x8a\x07\xff\xff\xff\xff\xff\xff\x0f\x85\x8a\x07\xff\xff\xff\xff\xff\xff\x0f\x85\x89)tR.", "does not fit"),
        (G + b"(" + STORAGE + b"K\x00(" + b"K\x01" * 100 + b"t(" + b"K\x01" * 100 + b"t\x89)tR.", "damaged"),  # a hundred dimensions
        (G + b"(" + STORAGE + b"K\x00K\x00" + HUGE + HUGE + b"\x87K\x01K\x01K\x01\x87\x89)tR.", "damaged"),
        (G + b"(" + STORAGE.replace(b"Float", b"Int") + b"K\x00K\x02\x85K\x01\x85\x88)tR.", "cannot require gradients"),
        (G + b"(tR.", "got arguments"),
        (b"\x80\x02.", "does not leave one object"),
        (b"\x80\x02K\x01K\x02.", "damaged"),
        (b"\x80\x02K\x01", "damaged"),
        (b"\x80\x02t.", "damaged"),
        (b"\x80\x02h\x07.", "damaged"),
        (b"\x80\x02\xfe.", "damaged"),
        (b"\x80\x02}]K\x01s.", "damaged"),
        (b"\x80\x02(.", "does not leave one object"),
        (b"", "damaged"),
    ],
)
def test_damaged_pickles(pickled, message):
    with pytest.raises(pickle.UnpicklingError, match=message):
        load(archive_of(pickled, [bytes(8)]))


def test_bytes_that_are_no_booleans():
    pickled = G + b"(" + STORAGE.replace(b"Float", b"Bool") + b"K\x00K\x02\x85K\x01\x85\x89)tR."
    assert load(archive_of(pickled, [b"\x07\x00"])).to(torch.int64).tolist() == [1, 0]


def test_a_stated_size_allocates_nothing():
    huge = b"\x80\x02r\xff\xff\xff\xff]r\xff\xff\xff\x7f."  # memo slots
    assert unpickle.read(huge.replace(b"\x02r\xff\xff\xff\xff]", b"\x02]"), {}, None) == []
    storage = STORAGE.replace(b"K\x02tQ", b"\x8a\x05\x00\x00\x00\x00\x10tQ")
    with pytest.raises(RuntimeError, match="8 bytes for"):
        load(archive_of(b"\x80\x02" + storage + b".", [bytes(8)]))


def test_random_damage_is_always_an_error_or_data():
    good = Writer(lambda v: None).dump({"a": [1, 2.5, "text", (1, 2)], "b": OrderedDict(c={1, 2})})
    rng = np.random.default_rng(3)
    for _ in range(2000):
        bad = bytearray(good)
        for at in rng.integers(2, len(bad), rng.integers(1, 4)):
            bad[at] = rng.integers(256)
        try:
            unpickle.read(bytes(bad), {}, unpickle.refuse)
        except pickle.UnpicklingError:
            pass


# -- files that are no archives
def test_damaged_archives(tmp_path):
    data = saved({"a": torch.arange(1000)}).getvalue()
    for n in (20, 400, len(data) // 2, len(data) - 30):
        with pytest.raises(RuntimeError, match="truncated or damaged"):
            load(io.BytesIO(data[:n]))
    flipped = bytearray(data)
    flipped[data.index(np.arange(1000)[500:510].tobytes())] ^= 1
    with pytest.raises(RuntimeError, match="truncated or damaged.*CRC"):
        load(io.BytesIO(bytes(flipped)))
    with pytest.raises(RuntimeError, match="no checkpoint"):
        load(io.BytesIO(b""))
    path = tmp_path / "notes.txt"
    path.write_text("hello")
    with pytest.raises(RuntimeError, match=r"notes\.txt is no checkpoint"):
        load(path)


def test_other_formats_are_named():
    with pytest.raises(RuntimeError, match="before 1.6"):
        load(io.BytesIO(pickle.dumps(0x1950A86A20F9469CFC6C, 2) + pickle.dumps(1001, 2)))
    with pytest.raises(RuntimeError, match="TorchScript"):
        load(archive_of(b"\x80\x02N.", extra=[("a/constants.pkl", b"")]))
    with pytest.raises(RuntimeError, match="safetensors"):
        load(io.BytesIO(b"\x02\0\0\0\0\0\0\0{}      "))


def test_malformed_archives():
    with pytest.raises(RuntimeError, match="compressed"):
        load(archive_of(b"\x80\x02N." + bytes(1000), compression=zipfile.ZIP_DEFLATED))
    with pytest.raises(RuntimeError, match=r"no record data\.pkl"):
        load(saved_zip := io.BytesIO(zip_of({"a/version": b"3"}))) and saved_zip
    with pytest.raises(RuntimeError, match="two records"):
        load(io.BytesIO(zip_of({"a/data.pkl": b"\x80\x02N.", "b/data.pkl": b"\x80\x02N."})))
    with pytest.raises(RuntimeError, match="no record 'data/0'"):
        load(archive_of(b"\x80\x02" + STORAGE + b"."))


def zip_of(records):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as z:
        for name, data in records.items():
            z.writestr(name, data)
    return file.getvalue()


def test_options():
    file = saved(torch.ones(1))
    assert load(file, map_location="cpu").tolist() == load(file, map_location=torch.device("cpu")).tolist() == [1.0]
    with pytest.raises(RuntimeError, match="memory of the CPU"):
        load(file, map_location="cuda")
    with pytest.raises(ValueError, match="weights_only=True"):
        load(file, weights_only=False)


def test_records_are_aligned():
    data = saved({"a": torch.ones(3), "b": torch.arange(5)})
    with zipfile.ZipFile(data) as z:
        for info in z.infolist():
            header = data.getvalue()[info.header_offset : info.header_offset + 30]
            start = info.header_offset + 30 + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")
            assert start % 64 == 0


def test_the_writer_makes_valid_pickles():
    out = Writer(lambda v: Call("collections.OrderedDict", ()) if v is Ellipsis else None).dump([..., ..., "a", "a"])
    pickletools.dis(out, out=io.StringIO())
    assert pickle.loads(out) == [OrderedDict(), OrderedDict(), "a", "a"]


# -- with torch itself
def test_torch_reads_what_is_written_here():
    real = pytest.importorskip("torch")
    base = torch.arange(12.0).reshape(3, 4)
    ours = {
        **{str(d): torch.ones(2, 3).to(d) for d in (torch.float64, torch.float16, torch.int8, torch.bool, torch.complex64, torch.uint16)},
        "base": base, "t": base.t(), "row": base[1], "w": torch.nn.Parameter(torch.ones(2)), "plain": PLAIN, "size": torch.Size([1]),
        "empty": torch.zeros(0, 3), "scalar": torch.tensor(2.5), "state": OrderedDict(a=torch.ones(1)), "dtype": torch.int64,
    }  # fmt: skip
    del ours["plain"]["frozen"]  # torch does not read it
    again = real.load(io.BytesIO(saved(ours).getvalue()), weights_only=True)
    for name, value in ours.items():
        if isinstance(value, torch.Tensor):
            assert str(again[name].dtype) == str(value.dtype) and again[name].requires_grad == value.requires_grad
            np.testing.assert_array_equal(again[name].detach().numpy(), value.detach().numpy())
    assert again["plain"] == ours["plain"] and again["dtype"] is real.int64 and again["size"] == real.Size([1])
    assert type(again["w"]) is real.nn.Parameter
    again["base"][1, 2] = 100.0
    assert again["t"][2, 1] == again["row"][2] == 100.0


def test_what_torch_writes_is_read_here():
    real = pytest.importorskip("torch")
    base = real.arange(12.0).reshape(3, 4)
    model = real.nn.Sequential(real.nn.Linear(3, 4), real.nn.BatchNorm1d(4))
    optimizer = real.optim.Adam(model.parameters())
    model(real.ones(2, 3)).sum().backward()
    optimizer.step()
    theirs = {
        "model": model.state_dict(), "optimizer": optimizer.state_dict(), "base": base, "t": base.t(), "row": base[1:, ::2],
        "e": base[0].expand(5, 4), "w": model[0].weight, "u": real.ones(2).to(real.uint16), "scalar": real.tensor(1.5),
        "epoch": 3, "empty": real.zeros(0, 2), "c": 1j,
    }  # fmt: skip
    for protocol in (2, 4):
        file = io.BytesIO()
        real.save(theirs, file, pickle_protocol=protocol)
        ours = load(file)
        assert ours["epoch"] == 3 and type(ours["model"]) is OrderedDict and ours["model"]._metadata[""] == {"version": 1}
        for name in ("base", "t", "row", "e", "u", "scalar", "empty", "w"):
            np.testing.assert_array_equal(ours[name].detach().numpy(), theirs[name].detach().numpy())
        for name, value in theirs["model"].items():
            np.testing.assert_array_equal(ours["model"][name].detach().numpy(), value.numpy())
        assert ours["optimizer"]["param_groups"] == theirs["optimizer"]["param_groups"]
        np.testing.assert_array_equal(ours["optimizer"]["state"][0]["exp_avg"].numpy(), theirs["optimizer"]["state"][0]["exp_avg"].numpy())


def test_bfloat16_is_widened():
    real = pytest.importorskip("torch")
    file = io.BytesIO()
    values = real.tensor([1.0, -2.5, 3e38, 1e-40, float("inf")], dtype=real.bfloat16)
    real.save(values, file)
    with pytest.warns(UserWarning, match="bfloat16"):
        ours = load(file)
    np.testing.assert_array_equal(ours.numpy(), values.float().numpy())


# -- safetensors
def test_safetensors_round_trip(tmp_path):
    package = pytest.importorskip("safetensors.numpy")
    path = tmp_path / "w.safetensors"
    tensors = {"a": torch.arange(6.0).reshape(2, 3).t(), "b": torch.tensor(True), "c": torch.nn.Parameter(torch.ones(2)), "d": torch.zeros(0, 2)}
    torch.serialization.save_safetensors(tensors, path, metadata={"format": "pt"})
    again, theirs = torch.serialization.load_safetensors(path), package.load_file(path)
    assert set(again) == set(theirs) == set(tensors)
    for name, t in tensors.items():
        np.testing.assert_array_equal(again[name].numpy(), t.detach().numpy())
        np.testing.assert_array_equal(theirs[name], t.detach().numpy())
    again["a"][0, 0] = 5.0  # the memory is the tensor's own
    assert os.listdir(tmp_path) == ["w.safetensors"]


def test_safetensors_errors(tmp_path):
    pytest.importorskip("safetensors")
    path = tmp_path / "w.safetensors"
    with pytest.raises(TypeError, match="'a' is a float"):
        torch.serialization.save_safetensors({"a": 1.0}, path)
    torch.serialization.save_safetensors({"a": torch.ones(100)}, path)
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(RuntimeError, match=r"w\.safetensors is no safetensors file, or is truncated"):
        torch.serialization.load_safetensors(path)


def test_safetensors_bfloat16(tmp_path):
    real = pytest.importorskip("torch")
    theirs = pytest.importorskip("safetensors.torch")
    values = real.tensor([[1.0, -2.5], [3e38, 0.0]], dtype=real.bfloat16)
    theirs.save_file({"x": values}, tmp_path / "x.safetensors")
    with pytest.warns(UserWarning, match="bfloat16"):
        ours = torch.serialization.load_safetensors(tmp_path / "x.safetensors")
    np.testing.assert_array_equal(ours["x"].numpy(), values.float().numpy())


def test_places_for_tensors_as_programs_give_them():
    file = io.BytesIO()
    torch.save({"x": torch.ones(2)}, file)
    for place in (None, "cpu", torch.device("cpu"), {"cuda:0": "cpu"}, lambda storage, location: storage):
        assert torch.load(file, map_location=place)["x"].tolist() == [1.0, 1.0]
    for place in ("cuda", {"cpu": "cuda:1"}):
        with pytest.raises(RuntimeError, match="memory of the CPU"):
            torch.load(file, map_location=place)
