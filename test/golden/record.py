"""How a case is run and recorded; see make.py."""

import json
import math
import pathlib
import zlib

import torch

HERE = pathlib.Path(__file__).parent
FLOATS = (torch.float32, torch.float64)
NAMES = {torch.float32: "float32", torch.float64: "float32", torch.int64: "int32", torch.int32: "int32",
         torch.uint8: "uint8", torch.bool: "bool"}
SPECIAL = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1e30, -1e30, 1e-30, -1e-30, 1.0, -1.0, 0.5, -0.5, 1.5, -1.5, 2.5,
           -2.5, 3.0, -7.0, 20.5, -20.5, 88.0, -88.0, 100.0, -100.0, 5000000.5]
FEW = [math.nan, math.inf, -math.inf, 0.0, -0.0, 1.0, -1.0, 2.0, -3.0, 0.5, -2.5, 1e30]

families = {}
current = []


def family(name):
    global current
    current = families.setdefault(name, [])


def numbers(shape, low=-3.0, high=3.0, seed=0):
    """Values that float32 holds exactly, in no order."""
    count = math.prod(shape)
    generator = torch.Generator().manual_seed(seed + 1000 * count + len(shape))
    x = torch.rand(count, generator=generator, dtype=torch.float64) * (high - low) + low
    return (torch.round(x * 1024) / 1024).tolist()


def whole(shape, low, high, seed=0):
    generator = torch.Generator().manual_seed(seed + 77 * math.prod(shape))
    return torch.randint(low, high, (math.prod(shape),), generator=generator).tolist()


def inp(shape, dtype="float32", data=None, view=(), low=-3.0, high=3.0, seed=0):
    """A base tensor and the views taken of it: [name, …arguments] in kindling's names."""
    if data is None:
        if dtype == "float32":
            data = numbers(shape, low, high, seed)
        elif dtype == "bool":
            data = whole(shape, 0, 2, seed)
        else:
            data = whole(shape, int(max(low, 0) if dtype == "uint8" else low), int(high) + 1, seed)
    return {"shape": list(shape), "dtype": dtype, "data": data, "view": [list(step) for step in view]}


def take(x, step):
    name, *args = step
    if name == "permute":
        return x.permute(args[0])
    if name == "transpose":
        return x.transpose(*args)
    if name == "slice":
        axis, start, end, stride = args
        index = [slice(None)] * x.dim()
        index[axis] = slice(start, end, stride)
        return x[tuple(index)]
    if name == "expand":
        return x.expand(args[0])
    if name == "reshape":
        return x.reshape(args[0])
    raise ValueError(name)


def weights(out):
    i = torch.arange(out.numel(), dtype=torch.int64)
    return (((i * 7) % 11 - 5).to(out.dtype) / 4 + 0.125).reshape(out.shape)


def plain(values):
    def one(v):
        if isinstance(v, bool):
            return int(v)
        if isinstance(v, int):
            return v
        if math.isnan(v):
            return "NaN"
        if math.isinf(v):
            return "Infinity" if v > 0 else "-Infinity"
        if v == 0:
            return "-0" if math.copysign(1, v) < 0 else 0
        v = float(f"{v:.9g}")
        return int(v) if v == int(v) and abs(v) < 1e15 else v
    return [one(v) for v in values]


def case(op, inputs, fn, args=None, tolerance="exact", grad=True, float32=False):
    floating = torch.float32 if float32 else torch.float64
    bases, taken = [], []
    for spec in inputs:
        dtype = floating if spec["dtype"] == "float32" else getattr(torch, spec["dtype"])
        base = torch.tensor(spec["data"], dtype=torch.float32 if spec["dtype"] == "float32" else dtype)
        base = base.reshape(spec["shape"]).to(dtype)
        if spec["dtype"] == "float32" and grad:
            base.requires_grad_()
        x = base
        for step in spec["view"]:
            x = take(x, step)
        bases.append(base)
        taken.append(x)
    result = fn(*taken, **{k: v for k, v in (args or {}).items()})
    outputs = list(result) if isinstance(result, (tuple, list)) else [result]
    differentiable = [y for y in outputs if y.requires_grad]
    if differentiable:
        sum((y * weights(y)).sum() for y in differentiable).backward()
    record = {
        "op": op,
        "tolerance": tolerance,
        "args": args or {},
        "inputs": [{**spec, "data": plain(spec["data"])} for spec in inputs],
        "outputs": [
            {"shape": list(y.shape), "dtype": NAMES[y.dtype], "data": plain(y.detach().reshape(-1).tolist())}
            for y in outputs
        ],
        "grads": [
            plain((torch.zeros_like(b) if b.grad is None else b.grad).reshape(-1).tolist())
            if b.requires_grad and differentiable else None
            for b in bases
        ],
    }
    current.append(record)


def layouts(low=-3.0, high=3.0):
    """One shape in every kind of memory."""
    return [
        inp([3, 4], low=low, high=high),
        inp([], low=low, high=high),
        inp([1], low=low, high=high),
        inp([0], low=low, high=high),
        inp([2, 0, 3], low=low, high=high),
        inp([4, 3], view=[["transpose", 0, 1]], low=low, high=high),
        inp([1, 3], view=[["expand", [4, 3]]], low=low, high=high),
        inp([7, 5], view=[["slice", 0, 1, 6, 2], ["slice", 1, 1, 5, 1]], low=low, high=high),
        inp([2, 3, 4, 5], view=[["permute", [0, 3, 1, 2]]], low=low, high=high),
    ]


def write():
    for name, cases in families.items():
        lines = ",\n".join(json.dumps(c, separators=(",", ":"), allow_nan=False) for c in cases)
        text = f"[\n{lines}\n]\n"
        (HERE / f"{name}.json").write_text(text)
        print(f"{name}: {len(cases)} cases, {len(text)} bytes, crc {zlib.crc32(text.encode()):08x}")
