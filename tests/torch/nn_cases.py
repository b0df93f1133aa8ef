"""Modules of `torch.nn` with inputs, and how they are compared with the real ones."""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

import tracejit.torch as own


class Case(NamedTuple):
    """`make(nn, torch)` gives the module, `inputs` are shapes or `(kind, shape, ...)`; `train` says in which mode."""

    name: str
    make: Callable[[Any, Any], Any]
    inputs: tuple
    train: bool = True
    calls: Callable[..., Any] | None = None


def data(spec: Any, seed: int) -> np.ndarray:
    """An input: a shape of normal numbers, or ("classes", n, shape), ("unit", shape), ("signs", shape), ("positive", shape)."""
    rng = np.random.default_rng(seed)
    if spec and spec[0] == "classes":
        return rng.integers(0, spec[1], spec[2])
    if spec and spec[0] == "unit":
        return rng.uniform(0.05, 0.95, spec[1])
    if spec and spec[0] == "signs":
        return np.where(rng.random(spec[1]) < 0.5, -1.0, 1.0)
    if spec and spec[0] == "positive":
        return rng.uniform(0.5, 2.0, spec[1])
    return rng.normal(size=spec)


def copied(module: Any, reference: Any) -> Any:
    """The module with the values of the real one."""
    state = {key: own.from_numpy(np.array(value.detach().numpy())) for key, value in reference.state_dict().items()}
    assert str(module.load_state_dict(state)) == "<All keys matched successfully>"
    return module


def flat(result: Any) -> list[Any]:
    """All tensors of a result."""
    if isinstance(result, (tuple, list)):
        return [t for part in result for t in flat(part)]
    return [] if result is None else [result]


def plainly(library: Any) -> Any:
    """Where torch computes attention by the formula: its fused kernels have no second derivative."""
    if library is own:
        return contextlib.nullcontext()
    attention = importlib.import_module("torch.nn.attention")
    return attention.sdpa_kernel(attention.SDPBackend.MATH)


def derivatives(library: Any, made: list[Any], moving: list[Any]) -> list[Any]:
    """The gradients of a weighted sum of results."""
    if not made or not moving:
        return [None] * len(moving)
    total = sum((t * library.tensor(np.cos(np.arange(t.numel())).reshape(tuple(t.shape)))).sum() for t in made)
    return list(library.autograd.grad(total, moving, create_graph=True, allow_unused=True))


def second_derivatives(library: Any, firsts: list[Any], moving: list[Any]) -> list[Any] | None:
    """The gradients of a weighted sum of gradients; None where the library has no derivative of one."""
    try:
        found = derivatives(library, [g for g in firsts if g is not None and g.requires_grad], moving)
    except RuntimeError as error:
        if library is not own and "not implemented" in str(error):
            return None
        raise
    return [None if g is None else g.detach().numpy(force=True) for g in found]


def compare(case: Case, torch: Any, rtol: float = 1e-9) -> None:
    """Text, state, values, first and second gradients of inputs and parameters, and what happened to the buffers."""
    torch.set_default_dtype(torch.float64)
    own.set_default_dtype(own.float64)
    try:
        torch.manual_seed(3)
        own.manual_seed(3)
        reference, module = case.make(torch.nn, torch), case.make(own.nn, own)
        assert repr(module) == repr(reference)
        assert list(module.state_dict()) == list(reference.state_dict())
        for (key, value), other in zip(module.state_dict().items(), reference.state_dict().values()):
            assert tuple(value.shape) == tuple(other.shape), key
            np.testing.assert_allclose(value.numpy(), other.numpy(), rtol=1e-6, atol=1e-7, err_msg=f"initial {key}")
        copied(module, reference)
        module.train(case.train)
        reference.train(case.train)
        arrays = [data(spec, i) for i, spec in enumerate(case.inputs)]
        results = []
        for library, net in ((own, module), (torch, reference)):
            tensors = [library.tensor(a) for a in arrays]
            for t, spec in zip(tensors, case.inputs):
                if t.is_floating_point() and spec[:1] != ("signs",):
                    t.requires_grad_()
            with plainly(library):
                made = flat(case.calls(net, library, *tensors) if case.calls else net(*tensors))
            moving = [t for t in (*tensors, *net.parameters()) if t.requires_grad]
            firsts = derivatives(library, [t for t in made if t.requires_grad], moving)
            seconds = second_derivatives(library, firsts, moving)
            gradients = [None if g is None else g.detach().numpy(force=True) for g in firsts]
            results.append(([t.detach().numpy() for t in made], gradients, [b.numpy() for b in net.buffers()], seconds))
        if results[1][3] is None:  # torch has none
            results = [r[:3] for r in results]
        for what, got, want in zip(("value", "gradient", "buffer", "second gradient"), *results):
            assert len(got) == len(want), what
            for i, (a, b) in enumerate(zip(got, want)):
                if a is None or b is None:  # nothing reached it, or zeros did
                    assert a is b or not np.any(a if b is None else b), f"{what} {i}"
                else:
                    np.testing.assert_allclose(a, b, rtol=rtol, atol=rtol, err_msg=f"{what} {i}")
    finally:
        torch.set_default_dtype(torch.float32)
        own.set_default_dtype(own.float32)


def _one(name: str, *args: Any, inputs: tuple = ((3, 4),), train: bool = True, note: str = "", calls: Any = None, **kwargs: Any) -> Case:
    return Case(f"{name}{note}", lambda nn, torch: getattr(nn, name)(*args, **kwargs), inputs, train, calls)


IMAGE, LINE, BLOCK = (2, 4, 6, 5), (2, 4, 9), (2, 4, 5, 4, 6)
CASES = [
    _one("Identity"),
    _one("Linear", 4, 5),
    _one("Linear", 4, 5, bias=False, inputs=((2, 3, 4),), note=" 3d"),
    _one("Linear", 4, 2, inputs=((4,),), note=" 1d"),
    _one("Linear", 4, 2, inputs=((2, 3, 4),), note=" 3d bias"),
    _one("Bilinear", 4, 5, 3, inputs=((6, 4), (6, 5))),
    _one("Embedding", 7, 3, padding_idx=2, inputs=(("classes", 7, (2, 5)),)),
    _one("Embedding", 7, 3, padding_idx=1, scale_grad_by_freq=True, inputs=(("classes", 7, (4, 5)),), note=" by frequency"),
    _one("Embedding", 7, 3, max_norm=1.0, inputs=(("classes", 7, (2, 5)),), note=" max_norm"),
    _one("Conv1d", 4, 6, 3, inputs=(LINE,)),
    _one("Conv2d", 4, 6, (3, 2), stride=2, padding=1, groups=2, inputs=(IMAGE,)),
    _one("Conv2d", 4, 3, 3, padding="same", dilation=2, bias=False, inputs=(IMAGE,), note=" same"),
    _one("Conv2d", 4, 3, 3, padding=1, padding_mode="reflect", inputs=(IMAGE,), note=" reflect"),
    _one("Conv2d", 4, 3, 3, padding=1, padding_mode="circular", inputs=(IMAGE,), note=" circular"),
    _one("Conv2d", 4, 3, 3, inputs=(IMAGE[1:],), note=" unbatched"),
    _one("Conv3d", 4, 2, 2, inputs=(BLOCK,)),
    _one("ConvTranspose1d", 4, 3, 3, stride=2, inputs=(LINE,)),
    _one("ConvTranspose2d", 4, 6, 3, stride=2, padding=1, output_padding=1, groups=2, inputs=(IMAGE,)),
    _one("ConvTranspose3d", 4, 2, 2, dilation=2, inputs=(BLOCK,)),
    *[
        _one(f"BatchNorm{n}d", 4, inputs=(shape,), train=train, note=" train" if train else " eval")
        for n, shape in ((1, LINE), (2, IMAGE), (3, BLOCK))
        for train in (True, False)
    ],
    _one("BatchNorm1d", 4, affine=False, track_running_stats=False, note=" plain"),
    _one("BatchNorm2d", 4, momentum=None, inputs=(IMAGE,), note=" mean"),
    _one("LayerNorm", 4),
    _one("LayerNorm", (6, 5), inputs=(IMAGE,), note=" 2d"),
    _one("LayerNorm", 4, bias=False, note=" no bias"),
    _one("LayerNorm", 4, elementwise_affine=False, note=" plain"),
    _one("GroupNorm", 2, 4, inputs=(IMAGE,)),
    _one("RMSNorm", 4),
    _one("InstanceNorm1d", 4, inputs=(LINE,)),
    _one("InstanceNorm2d", 4, affine=True, track_running_stats=True, inputs=(IMAGE,)),
    _one("InstanceNorm3d", 4, inputs=(BLOCK,)),
    _one("LocalResponseNorm", 3, inputs=(IMAGE,)),
    *[_one(f"Dropout{n}", 0.3, train=False, note=" eval") for n in ("", "1d", "2d", "3d")],
    _one("AlphaDropout", 0.3, train=False),
    _one("MaxPool1d", 3, inputs=(LINE,)),
    _one("MaxPool2d", 3, 2, 1, inputs=(IMAGE,)),
    _one("MaxPool3d", 2, inputs=(BLOCK,)),
    _one("MaxPool2d", (2, 3), ceil_mode=True, return_indices=True, inputs=(IMAGE,), note=" indices"),
    _one("AvgPool1d", 3, inputs=(LINE,)),
    _one("AvgPool2d", 3, 2, 1, inputs=(IMAGE,)),
    _one("AvgPool3d", 2, inputs=(BLOCK,)),
    _one("AvgPool2d", 3, 2, 1, True, False, inputs=(IMAGE,), note=" ceil"),
    _one("LPPool2d", 2, 2, inputs=(IMAGE,)),
    _one("AdaptiveAvgPool1d", 4, inputs=(LINE,)),
    _one("AdaptiveAvgPool2d", (3, 2), inputs=(IMAGE,)),
    _one("AdaptiveAvgPool2d", 1, inputs=(IMAGE,), note=" 1"),
    _one("AdaptiveAvgPool3d", (2, None, 3), inputs=(BLOCK,)),
    _one("AdaptiveMaxPool1d", 4, inputs=(LINE,)),
    _one("AdaptiveMaxPool2d", (3, 2), inputs=(IMAGE,)),
    _one("AdaptiveMaxPool3d", 2, inputs=(BLOCK,)),
    _one("Flatten", inputs=(IMAGE,)),
    _one("Unflatten", 1, (2, 2), inputs=(IMAGE,)),
    _one("Upsample", scale_factor=2, inputs=(IMAGE,)),
    _one("Upsample", size=(9, 7), mode="bilinear", inputs=(IMAGE,), note=" bilinear"),
    _one("Upsample", scale_factor=1.5, mode="bicubic", inputs=(IMAGE,), note=" bicubic"),
    _one("Upsample", scale_factor=2, mode="linear", inputs=(LINE,), note=" linear"),
    _one("Upsample", size=(9, 7), mode="bilinear", align_corners=True, inputs=(IMAGE,), note=" corners"),
    _one("Upsample", scale_factor=2, mode="trilinear", inputs=(BLOCK,), note=" trilinear"),
    _one("Upsample", size=(4, 3), mode="nearest-exact", inputs=(IMAGE,), note=" exact"),
    _one("PixelShuffle", 2, inputs=(IMAGE,)),
    _one("PixelUnshuffle", 2, inputs=((2, 3, 4, 6),)),
    _one("ChannelShuffle", 2, inputs=(IMAGE,)),
    _one("Unfold", (2, 3), inputs=(IMAGE,)),
    _one("ZeroPad2d", (1, 2, 0, 1), inputs=(IMAGE,)),
    _one("ConstantPad1d", 2, 1.5, inputs=(LINE,)),
    _one("ReflectionPad2d", 2, inputs=(IMAGE,)),
    _one("ReplicationPad1d", 3, inputs=(LINE,)),
    _one("CircularPad2d", 1, inputs=(IMAGE,)),
    *[
        _one(name)
        for name in (
            "ReLU",
            "ReLU6",
            "LeakyReLU",
            "ELU",
            "CELU",
            "SELU",
            "SiLU",
            "Mish",
            "Hardswish",
            "Hardtanh",
            "GELU",
            "Softplus",
            "Sigmoid",
            "Tanh",
            "LogSigmoid",
            "Softsign",
            "Tanhshrink",
            "GLU",
            "Softshrink",
            "Hardshrink",
            "PReLU",
        )
    ],
    _one("PReLU", 4, inputs=(IMAGE,), note=" channels"),
    _one("Threshold", 0.1, 20),
    _one("GELU", "tanh", note=" tanh"),
    _one("LeakyReLU", 0.2, note=" 0.2"),
    _one("Softplus", 2.0, 1.0, note=" 2"),
    _one("RReLU", train=False),
    _one("Softmax", -1),
    _one("Softmin", 1),
    _one("LogSoftmax", 1),
    _one("Softmax2d", inputs=(IMAGE,)),
    _one("CosineSimilarity", inputs=((3, 4), (3, 4))),
    _one("PairwiseDistance", inputs=((3, 4), (3, 4))),
    *[_one(name, 3, 4, inputs=((5, 2, 3),)) for name in ("RNN", "LSTM", "GRU")],
    *[_one(name, 3, 4, 2, bidirectional=True, batch_first=True, inputs=((2, 5, 3),), note=" both") for name in ("RNN", "LSTM", "GRU")],
    _one("RNN", 3, 4, nonlinearity="relu", bias=False, inputs=((5, 3),), note=" relu"),
    _one("LSTM", 3, 4, proj_size=2, inputs=((5, 2, 3),), note=" projected"),
    _one("LSTM", 3, 4, inputs=((5, 2, 3), (1, 2, 4), (1, 2, 4)), note=" state", calls=lambda m, _, x, h, c: m(x, (h, c))),
    _one("GRU", 3, 4, inputs=((5, 2, 3), (1, 2, 4)), note=" state"),
    *[_one(name, 3, 4, inputs=((2, 3),)) for name in ("RNNCell", "LSTMCell", "GRUCell")],
    _one("MultiheadAttention", 6, 2, inputs=((4, 2, 6), (5, 2, 6), (5, 2, 6))),
    _one("MultiheadAttention", 6, 2, batch_first=True, add_bias_kv=True, add_zero_attn=True, inputs=((2, 4, 6), (2, 5, 6), (2, 5, 6)), note=" bias"),
    _one("MultiheadAttention", 6, 3, kdim=4, vdim=5, bias=False, inputs=((4, 2, 6), (5, 2, 4), (5, 2, 5)), note=" kdim"),
    _one(
        "MultiheadAttention",
        6,
        2,
        inputs=((4, 2, 6),),
        note=" masks",
        calls=lambda m, t, x: m(
            x, x, x, attn_mask=t.ones(4, 4).triu(1).bool(), key_padding_mask=t.tensor([[False] * 4, [False, False, False, True]])
        ),
    ),
    _one("TransformerEncoderLayer", 6, 2, 8, dropout=0.0, inputs=((4, 2, 6),)),
    _one("TransformerEncoderLayer", 6, 2, 8, dropout=0.0, activation="gelu", norm_first=True, batch_first=True, inputs=((2, 4, 6),), note=" first"),
    _one("TransformerDecoderLayer", 6, 2, 8, dropout=0.0, inputs=((4, 2, 6), (5, 2, 6))),
    Case(
        "TransformerEncoder",
        lambda nn, t: nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0), 2, enable_nested_tensor=False),
        ((4, 2, 6),),
    ),
    _one("Transformer", 6, 2, 1, 1, 8, dropout=0.0, inputs=((4, 2, 6), (3, 2, 6))),
    *[
        _one(name, inputs=((3, 4), (3, 4)), note=f" {how}", reduction=how)
        for name in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss")
        for how in ("mean", "sum", "none")
    ],
    _one("SmoothL1Loss", beta=0.3, inputs=((3, 4), (3, 4)), note=" 0.3"),
    _one("HuberLoss", delta=0.3, inputs=((3, 4), (3, 4)), note=" 0.3"),
    _one("BCELoss", inputs=(("unit", (3, 4)), ("unit", (3, 4)))),
    _one("BCEWithLogitsLoss", inputs=((3, 4), ("unit", (3, 4)))),
    Case(
        "BCEWithLogitsLoss weights",
        lambda nn, t: nn.BCEWithLogitsLoss(pos_weight=t.tensor([1.0, 2.0, 0.5, 3.0]), reduction="sum"),
        ((3, 4), ("unit", (3, 4))),
    ),
    *[_one("CrossEntropyLoss", inputs=((3, 5), ("classes", 5, (3,))), note=f" {how}", reduction=how) for how in ("mean", "sum", "none")],
    _one("CrossEntropyLoss", label_smoothing=0.1, ignore_index=1, inputs=((6, 3), ("classes", 3, (6,))), note=" smooth"),
    Case(
        "CrossEntropyLoss weights", lambda nn, t: nn.CrossEntropyLoss(t.tensor([1.0, 2.0, 0.5]), label_smoothing=0.2), ((6, 3), ("classes", 3, (6,)))
    ),
    _one("CrossEntropyLoss", inputs=((2, 3, 4, 5), ("classes", 3, (2, 4, 5))), note=" images"),
    _one("CrossEntropyLoss", label_smoothing=0.1, inputs=((3, 5), ("unit", (3, 5))), note=" shares"),
    _one("CrossEntropyLoss", inputs=((5,), ("classes", 5, ())), note=" one"),
    _one("NLLLoss", ignore_index=2, inputs=((4, 3), ("classes", 3, (4,)))),
    _one("KLDivLoss", reduction="batchmean", inputs=((3, 4), ("unit", (3, 4)))),
    _one("KLDivLoss", log_target=True, reduction="sum", inputs=((3, 4), (3, 4)), note=" log"),
    _one("CosineEmbeddingLoss", 0.2, inputs=((3, 4), (3, 4), ("signs", (3,)))),
    _one("MarginRankingLoss", 0.1, inputs=((3,), (3,), ("signs", (3,)))),
    _one("TripletMarginLoss", swap=True, inputs=((3, 4), (3, 4), (3, 4))),
    _one("HingeEmbeddingLoss", inputs=((3, 4), ("signs", (3, 4)))),
    _one("SoftMarginLoss", inputs=((3, 4), ("signs", (3, 4)))),
    _one("MultiLabelSoftMarginLoss", inputs=((3, 4), ("unit", (3, 4)))),
    _one("GaussianNLLLoss", full=True, inputs=((3, 4), (3, 4), ("positive", (3, 4)))),
    _one("PoissonNLLLoss", full=True, inputs=((3, 4), ("positive", (3, 4)))),
    _one("Fold", (5, 6), (2, 3), padding=1, stride=(2, 1), inputs=((2, 12, 18),)),
    _one("MaxUnpool2d", 2, inputs=(IMAGE,), calls=lambda m, t, x: m(*t.nn.functional.max_pool2d(x, 2, return_indices=True), output_size=(6, 5))),
    _one("MaxUnpool1d", 3, 2, 1, inputs=(LINE,), calls=lambda m, t, x: m(*t.nn.functional.max_pool1d(x, 3, 2, 1, return_indices=True))),
    _one("MaxUnpool3d", 2, inputs=(BLOCK,), calls=lambda m, t, x: m(*t.nn.functional.max_pool3d(x, 2, return_indices=True))),
    _one("UpsamplingNearest2d", scale_factor=2, inputs=(IMAGE,)),
    _one("UpsamplingBilinear2d", size=(9, 7), inputs=(IMAGE,)),
    _one("FeatureAlphaDropout", 0.3, train=False, inputs=(IMAGE,)),
    *[_one("EmbeddingBag", 7, 3, mode=mode, padding_idx=2, inputs=(("classes", 7, (4, 5)),), note=f" {mode}") for mode in ("sum", "mean", "max")],
    _one(
        "EmbeddingBag",
        7,
        3,
        mode="sum",
        inputs=(("classes", 7, (6,)), (6,)),
        note=" weighted",
        calls=lambda m, t, x, w: m(x, t.tensor([0, 2, 2, 5]), w),
    ),
    _one(
        "EmbeddingBag", 7, 3, include_last_offset=True, inputs=(("classes", 7, (6,)),), note=" last", calls=lambda m, t, x: m(x, t.tensor([0, 4, 6]))
    ),
    _one("MultiMarginLoss", inputs=((3, 5), ("classes", 5, (3,)))),
    Case("MultiMarginLoss weights", lambda nn, t: nn.MultiMarginLoss(2, 0.7, t.tensor([1.0, 2.0, 0.5])), ((4, 3), ("classes", 3, (4,)))),
    _one("MultiMarginLoss", reduction="sum", inputs=((5,), ("classes", 5, ())), note=" one"),
    _one("MultiLabelMarginLoss", inputs=((2, 4),), note=" listed", calls=lambda m, t, x: m(x, t.tensor([[3, 0, -1, 1], [1, -1, 2, 0]]))),
    _one("TripletMarginWithDistanceLoss", swap=True, inputs=((3, 4), (3, 4), (3, 4))),
    _one("AdaptiveLogSoftmaxWithLoss", 8, 10, [3, 6], div_value=2.0, inputs=((5, 8), ("classes", 10, (5,)))),
    *[
        _one(
            "CTCLoss",
            inputs=((9, 3, 5), ("classes", 4, (3, 3))),
            note=f" {how}",
            reduction=how,
            calls=lambda m, t, x, y: m(t.nn.functional.log_softmax(x, 2), y + 1, t.tensor([9, 7, 8]), t.tensor([3, 2, 0])),
        )
        for how in ("mean", "sum", "none")
    ],
    _one(
        "CTCLoss",
        blank=2,
        zero_infinity=True,
        inputs=((4, 2, 5),),
        note=" in a row",
        calls=lambda m, t, x: m(t.nn.functional.log_softmax(x, 2), t.tensor([1, 1, 3, 4, 4, 0, 1]), (4, 4), (3, 4)),
    ),
    Case("ModuleList", lambda nn, t: nn.Sequential(*nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4), nn.ReLU()])), ((3, 4),)),
    Case("nested", lambda nn, t: nn.Sequential(nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3)), nn.Dropout(0.0), nn.Linear(3, 2)), ((5, 4),)),
]
# batches without examples, inputs without axes, and such that are broadcast against each other
CASES += [
    *[
        _one(name, *args, inputs=inputs, train=train, note=" empty")
        for name, args, inputs, train in (
            ("Linear", (4, 5), ((0, 4),), True), ("Conv1d", (4, 6, 3), ((0, 4, 9),), True), ("Conv2d", (4, 6, 3), ((0, 4, 6, 5),), True),
            ("ConvTranspose2d", (4, 6, 3), ((0, 4, 6, 5),), True), ("BatchNorm1d", (4,), ((0, 4),), False), ("LayerNorm", (4,), ((0, 4),), True),
            ("GroupNorm", (2, 4), ((0, 4, 3),), True), ("RMSNorm", (4,), ((0, 4),), True), ("MaxPool2d", (2,), ((0, 4, 6, 5),), True),
            ("AvgPool2d", (2,), ((0, 4, 6, 5),), True), ("AdaptiveAvgPool2d", (1,), ((0, 4, 6, 5),), True), ("Flatten", (), ((0, 4, 6),), True),
            ("Embedding", (7, 3), (("classes", 7, (0, 5)),), True), ("LSTM", (3, 4), ((5, 0, 3),), True), ("Softmax", (-1,), ((0, 4),), True),
            ("MSELoss", (), ((0, 4), (0, 4)), True), ("L1Loss", (), ((0, 4), (0, 4)), True), ("HuberLoss", (), ((0, 4), (0, 4)), True),
            ("CrossEntropyLoss", (), ((0, 4), ("classes", 4, (0,))), True), ("NLLLoss", (), ((0, 4), ("classes", 4, (0,))), True),
            ("BCEWithLogitsLoss", (), ((0, 4), ("unit", (0, 4))), True),
        )
    ],
    *[
        _one(name, inputs=((),), note=" 0-d")
        for name in ("ReLU", "GELU", "SiLU", "ELU", "Softplus", "Sigmoid", "Tanh", "LeakyReLU", "Mish", "Hardtanh")
    ],
    *[_one(name, inputs=((), ()), note=" 0-d") for name in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss")],
    _one("BCEWithLogitsLoss", inputs=((), ("unit", ())), note=" 0-d"),
    *[_one(name, inputs=((3, 1), (1, 4)), note=" broadcast") for name in ("MSELoss", "L1Loss", "SmoothL1Loss", "HuberLoss")],
    *[
        _one(name, *args, inputs=(shape,), note=" strided", calls=lambda m, _, x: m(x.transpose(0, 1)))
        for name, args, shape in (
            ("Linear", (4, 5), (4, 3)), ("Conv2d", (4, 6, 3), (4, 2, 6, 5)), ("Conv1d", (4, 6, 3), (4, 2, 9)), ("BatchNorm2d", (4,), (4, 2, 6, 5)),
            ("LayerNorm", (4,), (4, 3)), ("GroupNorm", (2, 4), (4, 2, 5)), ("MaxPool2d", (2,), (4, 2, 6, 5)), ("AvgPool2d", (2,), (4, 2, 6, 5)),
            ("LSTM", (3, 4), (2, 5, 3)), ("GRU", (3, 4), (2, 5, 3)), ("Softmax", (-1,), (4, 3)), ("GELU", (), (4, 3)), ("Unfold", (2,), (4, 2, 6, 5)),
        )
    ],
]  # fmt: skip
