"""
Records what PyTorch computes, for the conformance tests: values, dtypes and gradients of every tensor operation.

Run with a Python that has PyTorch (Debian: python3-torch): `python3 test/golden/make.py`. Writes one JSON file per family
beside itself. A case names an operation, its inputs (a base tensor and the views taken of it) and its arguments;
`test/conformance/operations.ts` says how kindling computes the same. References are computed in float64 from inputs that
float32 holds exactly, except cases marked float32, whose values only make sense in that precision (infinities, overflow).
Gradients are those of sum(out * weights), with the weights of `weights` below.
"""

import json
import math
import pathlib
import zlib

import torch
import torch.nn.functional as F

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


# --- elementwise -------------------------------------------------------------------------------------------------------

def elementwise_unary():
    family("elementwise")
    table = {
        "neg": (torch.neg, None, "exact"), "abs": (torch.abs, None, "exact"), "sign": (torch.sign, None, "exact"),
        "floor": (torch.floor, None, "exact"), "ceil": (torch.ceil, None, "exact"), "round": (torch.round, None, "exact"),
        "trunc": (torch.trunc, None, "exact"), "square": (torch.square, None, "exact"),
        "exp": (torch.exp, None, "chain"), "expm1": (torch.expm1, None, "chain"),
        "log": (torch.log, (0.05, 9), "chain"), "log1p": (torch.log1p, (-0.9, 9), "chain"),
        "log2": (torch.log2, (0.05, 9), "chain"), "log10": (torch.log10, (0.05, 9), "chain"),
        "sqrt": (torch.sqrt, (0.05, 9), "exact"), "rsqrt": (torch.rsqrt, (0.05, 9), "exact"),
        "reciprocal": (torch.reciprocal, (0.25, 3), "exact"),
        "sin": (torch.sin, None, "chain"), "cos": (torch.cos, None, "chain"), "tan": (torch.tan, (-1.2, 1.2), "chain"),
        "tanh": (torch.tanh, None, "chain"), "sigmoid": (torch.sigmoid, None, "chain"), "erf": (torch.erf, None, "chain"),
        "relu": (torch.relu, None, "exact"), "gelu": (F.gelu, None, "chain"), "silu": (F.silu, None, "chain"),
        "mish": (F.mish, None, "chain"), "logSigmoid": (F.logsigmoid, None, "chain"),
        "logicalNot": (torch.logical_not, None, "exact"), "isNan": (torch.isnan, None, "exact"),
        "isFinite": (torch.isfinite, None, "exact"), "isInf": (torch.isinf, None, "exact"),
    }
    for op, (fn, domain, tolerance) in table.items():
        low, high = domain or (-3.0, 3.0)
        for x in layouts(low, high):
            case(op, [x], fn, tolerance=tolerance)
        case(op, [inp([len(SPECIAL)], data=SPECIAL)], fn, tolerance=tolerance, float32=True)
        if op not in ("relu", "gelu", "silu", "mish", "logSigmoid", "floor", "ceil", "round", "trunc"):
            wholes = dict(low=1, high=9) if low > 0 else dict(low=-4, high=5)
            case(op, [inp([6], "int32", **wholes)], fn, tolerance=tolerance, float32=True)
            case(op, [inp([6], "uint8", low=1, high=9)], fn, tolerance=tolerance, float32=True)
            if op not in ("neg", "abs", "sign", "square"):
                case(op, [inp([5], "bool")], fn, tolerance=tolerance, float32=True)
    for args in ({}, {"slope": 0.25}, {"slope": -1.5}):
        fn = lambda x, slope=0.01: F.leaky_relu(x, slope)
        case("leakyRelu", [inp([3, 4])], fn, args)
        case("leakyRelu", [inp([len(SPECIAL)], data=SPECIAL)], fn, args, float32=True)
    for args in ({}, {"alpha": 0.5}):
        fn = lambda x, alpha=1.0: F.elu(x, alpha)
        case("elu", [inp([3, 4])], fn, args, "chain")
        case("elu", [inp([len(SPECIAL)], data=SPECIAL)], fn, args, "chain", float32=True)
    for args in ({}, {"beta": 2.0}, {"beta": 0.5}):
        fn = lambda x, beta=1.0: F.softplus(x, beta)
        case("softplus", [inp([3, 4])], fn, args, "chain")
        case("softplus", [inp([len(SPECIAL)], data=SPECIAL)], fn, args, "chain", float32=True)


PAIRS = [
    (inp([3, 4]), inp([3, 4], seed=1)), (inp([3, 1]), inp([4], seed=1)), (inp([2, 3, 4]), inp([3, 1], seed=1)),
    (inp([]), inp([3], seed=1)), (inp([]), inp([], seed=1)), (inp([1]), inp([2, 2], seed=1)), (inp([0]), inp([1], seed=1)),
    (inp([2, 0, 3]), inp([3], seed=1)), (inp([5, 1, 4]), inp([1, 3, 1], seed=1)),
    (inp([4, 3], view=[["transpose", 0, 1]]), inp([3, 4], seed=1)),
    (inp([1, 3], view=[["expand", [4, 3]]]), inp([4, 3], seed=1)),
    (inp([7, 5], view=[["slice", 0, 0, 7, 2], ["slice", 1, 1, 4, 1]]), inp([3, 4], seed=1, view=[["transpose", 0, 1]])),
    (inp([2, 4, 5, 3], view=[["permute", [0, 3, 1, 2]]]), inp([3, 1, 1], seed=1)),
    (inp([2, 4, 5, 3], view=[["permute", [0, 3, 1, 2]]]), inp([2, 4, 5, 3], seed=1, view=[["permute", [0, 3, 1, 2]]])),
]


def away_from_zero(spec):
    return {**spec, "data": [math.copysign(max(abs(v), 0.25), v) for v in spec["data"]]}


def positive(spec):
    return {**spec, "data": [max(abs(v), 0.25) for v in spec["data"]]}


def elementwise_binary():
    family("elementwise")
    table = {
        "add": torch.add, "sub": torch.sub, "mul": torch.mul, "div": torch.div, "pow": lambda a, other: torch.pow(a, other),
        "remainder": torch.remainder, "floorDivide": lambda a, other: torch.div(a, other, rounding_mode="floor"),
        "maximum": torch.maximum, "minimum": torch.minimum, "atan2": torch.atan2, "eq": torch.eq, "ne": torch.ne,
        "lt": torch.lt, "le": torch.le, "gt": torch.gt, "ge": torch.ge, "logicalAnd": torch.logical_and,
        "logicalOr": torch.logical_or, "logicalXor": torch.logical_xor,
    }
    for op, fn in table.items():
        tolerance = "chain" if op in ("pow", "atan2") else "exact"
        for a, b in PAIRS:
            if op in ("div", "remainder", "floorDivide", "atan2"):
                b = away_from_zero(b)
            if op == "pow":
                a = positive(a)
            case(op, [a, b], fn, tolerance=tolerance)
        ties = [1.0, 2.0, 0.0, -1.0]
        if op not in ("div", "remainder", "floorDivide"):
            case(op, [inp([4, 1], data=ties), inp([4], data=ties)], fn, tolerance=tolerance, float32=True)
        n = len(FEW)
        divisors = [1.0 if math.isinf(v) else v for v in FEW] if op == "floorDivide" else FEW  # by infinity: NaN here
        case(op, [inp([n, 1], data=FEW), inp([n], data=divisors)], fn, tolerance=tolerance, float32=True)
        ints = (inp([3, 2], "int32", low=-4, high=6), inp([2], "int32", data=[3, -2]))
        mixed = [(ints[0], inp([3, 2], "float32", low=0.5, high=2)), (ints[0], inp([2], "uint8", data=[2, 5])),
                 (inp([3, 2], "uint8", low=0, high=9), inp([2], "uint8", data=[2, 5]))]
        if op == "pow":
            ints = (ints[0], inp([2], "int32", data=[3, 0]))
        case(op, list(ints), fn, tolerance=tolerance, float32=True)
        for a, b in mixed:
            if op == "pow" and b["dtype"] == "float32":
                a = {**a, "data": [abs(v) for v in a["data"]]}
            case(op, [a, b], fn, tolerance=tolerance, float32=True)
        bools = (inp([4], "bool", data=[0, 1, 0, 1]), inp([4], "bool", data=[0, 0, 1, 1]))
        if op not in ("sub", "div", "pow", "remainder", "floorDivide", "atan2"):
            case(op, list(bools), fn, tolerance=tolerance, float32=True)
            case(op, [bools[0], inp([4], "int32", data=[0, 1, -1, 2])], fn, float32=True)
            case(op, [bools[0], inp([4], data=[0.0, 1.0, 0.5, -0.5])], fn, float32=True)
        if op.startswith("logical") or op in ("maximum", "minimum", "atan2"):
            continue
        for other in (2, 0.1, -0.75):
            x = inp([3, 4]) if op != "pow" else inp([3, 4], low=0.25, high=3)
            case(op, [x], fn, {"other": other}, tolerance, float32=True)
        if op != "pow":
            case(op, [inp([6], "int32", low=-4, high=5)], fn, {"other": 2}, tolerance, float32=True)
            case(op, [inp([6], "int32", low=-4, high=5)], fn, {"other": 0.5}, tolerance, float32=True)
        near = [0.1, 0.2, 0.3, 0.7, 1.1]
        case(op, [inp([5], data=near)], fn, {"other": 0.1}, tolerance, float32=True)
    table_pow = table["pow"]
    for exponent in (0, 1, 2, 3, -1, -2, 0.5):
        data = [-2.0, -1.0, 0.0, 0.5, 1.0, 3.0]
        case("pow", [inp([6], data=data)], table_pow, {"other": exponent}, "chain", float32=True)
    case("pow", [inp([5], "int32", data=[-2, 0, 1, 3, 7])], table_pow, {"other": 3})


def elementwise_ternary():
    family("elementwise")
    clamp = lambda x, min=None, max=None: torch.clamp(x, min=min, max=max)
    values = inp([11], data=[-2.0, -1.0, -0.5, 0.0, 0.25, 0.5, 1.0, 2.0, math.inf, -math.inf, math.nan])
    for args in ({"min": -1, "max": 0.5}, {"min": 0}, {"max": 1}, {"min": 1, "max": -1}):
        case("clamp", [values], clamp, args, float32=True)
        case("clamp", [inp([3, 4])], clamp, args)
        if args.get("max") != 0.5:
            case("clamp", [inp([6], "int32", low=-4, high=4)], clamp, args)
    both = lambda x, low, high: torch.clamp(x, low, high)
    case("clampTensors", [inp([3, 4]), inp([4], low=-2, high=0), inp([3, 1], low=-1, high=1)], both)
    case("clampTensors", [inp([4], data=[0.0, 1.0, 2.0, 3.0]), inp([4], data=[0.0, 1.5, 3.0, 1.0]),
                          inp([4], data=[1.0, 1.0, 2.5, 3.0])], both)
    case("lerp", [inp([3, 4]), inp([3, 4], seed=1)], lambda a, b, t: torch.lerp(a, b, t), {"t": 0.25})
    case("lerp", [inp([3, 1]), inp([4], seed=1), inp([3, 4], seed=2, low=0, high=1)], torch.lerp)
    where = lambda c, a, b: torch.where(c, a, b)
    case("where", [inp([3, 4], "bool"), inp([3, 4]), inp([3, 4], seed=1)], where)
    case("where", [inp([4], "bool"), inp([3, 1]), inp([], seed=1)], where)
    case("where", [inp([2, 3, 1], "bool"), inp([3, 4]), inp([1, 1, 4], seed=1)], where)
    case("where", [inp([3, 0], "bool"), inp([3, 0]), inp([1], seed=1)], where)
    case("where", [inp([4], "bool", data=[0, 1, 0, 1]), inp([4], data=[math.nan, 1.0, math.inf, 2.0]),
                   inp([4], data=[3.0, math.nan, 4.0, -math.inf])], where)
    case("where", [inp([4], "bool"), inp([4], "int32"), inp([4], "int32", seed=1)], where)
    fill = lambda x, m, value: x.masked_fill(m, value)
    case("maskedFill", [inp([3, 4]), inp([3, 4], "bool")], fill, {"value": -1.5})
    case("maskedFill", [inp([3, 4], view=[["transpose", 0, 1]]), inp([3], "bool", data=[1, 0, 1])], fill, {"value": 0})
    case("maskedFill", [inp([3, 1]), inp([3, 4], "bool")], fill, {"value": 2})
    case("maskedFill", [inp([4], "int32"), inp([4], "bool")], fill, {"value": 7})
    case("maskedFill", [inp([4], "bool", seed=1), inp([4], "bool")], fill, {"value": 1})


# --- reductions --------------------------------------------------------------------------------------------------------

def dims(axes):
    return axes if axes is None or isinstance(axes, int) else tuple(axes)


def spread_axes(x, fn):
    def run(x, axes=None, keepDims=False):
        d = tuple(range(x.dim())) if axes is None else dims(axes)
        return fn(x, d, keepDims)
    return run


def reductions():
    family("reduce")
    over = [
        (inp([3, 4]), [None, 0, 1, -1, [0, 1], [-1, 0]]), (inp([2, 3, 4]), [1, [0, 2], [0, 1], -3]),
        (inp([]), [None, 0, -1]), (inp([1]), [None, 0]), (inp([5, 1, 3]), [1, [1, 2]]),
        (inp([4, 3], view=[["transpose", 0, 1]]), [None, 0, 1]),
        (inp([2, 4, 5, 3], view=[["permute", [0, 3, 1, 2]]]), [1, [0, 2, 3], [2, 3], None]),
        (inp([7, 5], view=[["slice", 0, 0, 7, 2], ["slice", 1, 1, 4, 1]]), [None, 0, 1]),
        (inp([3, 1], view=[["expand", [3, 4]]]), [None, 0, 1]), (inp([17, 9]), [None, 0, 1]),
        (inp([3, 4], data=[1.0, 5.0, 5.0, 2.0, 0.0, 0.0, 0.0, 0.0, -1.0, -1.0, -2.0, 3.0]), [None, 0, 1]),
    ]
    empty = [(inp([0]), [None, 0]), (inp([2, 0, 3]), [None, 1, [0, 1], 0])]
    special = [(inp([3, 4], data=[1.0, math.nan, 2.0, 3.0, math.inf, 1.0, -1.0, 0.0, -math.inf, -math.inf, -math.inf, -math.inf]), [None, 0, 1])]

    def full(fn):
        return lambda x, axes=None, keepDims=False: fn(
            x, tuple(range(x.dim())) if axes is None else dims(axes), keepDims)

    sums = {
        "sum": (lambda x, d, k: x.sum() if d == () else x.sum(d, keepdim=k), "exact", True),
        "mean": (lambda x, d, k: x.mean() if d == () else x.mean(d, keepdim=k), "exact", True),
        "amax": (lambda x, d, k: x.amax(d, keepdim=k), "exact", False),
        "amin": (lambda x, d, k: x.amin(d, keepdim=k), "exact", False),
        "norm": (lambda x, d, k: torch.linalg.vector_norm(x, 2, d if d != () else None, keepdim=k), "exact", True),
        "logSumExp": (lambda x, d, k: torch.logsumexp(x, d if d != () else 0, keepdim=k), "chain", True),
    }
    for op, (fn, tolerance, with_empty) in sums.items():
        for x, axes in over + (empty if with_empty else []) + special:
            for i, a in enumerate(axes):
                args = {} if a is None else {"axes": a}
                if x is special[0][0] and op == "norm":
                    continue
                case(op, [x], full(fn), args, tolerance, float32=x is special[0][0])
                if i == 1:
                    case(op, [x], full(fn), {**args, "keepDims": True}, tolerance, float32=x is special[0][0])
    for op in ("var", "std"):
        torch_fn = getattr(torch, op)
        fn = lambda x, axes=None, keepDims=False, correction=1, f=torch_fn: f(
            x, tuple(range(x.dim())) if axes is None else dims(axes), correction=correction, keepdim=keepDims) \
            if x.dim() else f(x, correction == 1)
        for x, axes in over[:2] + over[5:8] + over[9:]:
            for a in axes:
                args = {} if a is None else {"axes": a}
                case(op, [x], fn, args)
                case(op, [x], fn, {**args, "correction": 0, "keepDims": True})
        case(op, [inp([3, 1])], fn, {"axes": 1, "correction": 0})
        case(op, [inp([3, 1])], fn, {"axes": 1}, grad=False)
        case(op, [inp([2, 0])], fn, {"axes": 1}, grad=False)
        case(op, [inp([0])], fn, {"correction": 0}, grad=False)
        case(op, [inp([4], data=[2.0, 2.0, 2.0, 2.0])], fn)
    for p in (1, 3, 1.5, math.inf):
        fn = lambda x, p, axes=None, keepDims=False: torch.linalg.vector_norm(x, float(p), axes, keepdim=keepDims)
        name = "Infinity" if p == math.inf else p
        for x in (inp([3, 4]), inp([3, 4], data=[0.0] * 4 + [3.0, -3.0, 0.0, 3.0] + [1.0, 2.0, -4.0, 0.5])):
            for axes in ({}, {"axes": 1}, {"axes": 0, "keepDims": True}):
                case("norm", [x], fn, {"p": name, **axes}, "chain" if p in (3, 1.5) else "exact")
    for op in ("any", "all"):
        fn = lambda x, axes=None, keepDims=False, f=getattr(torch, op): f(x) if axes is None else f(x, axes, keepdim=keepDims)
        for x in (inp([3, 4], "bool"), inp([3, 4], "int32", low=0, high=1), inp([3, 4]), inp([2, 0], "bool"), inp([0]),
                  inp([3], data=[0.0, math.nan, -0.0]), inp([], "bool", data=[1])):
            case(op, [x], fn)
            if x["shape"]:
                case(op, [x], fn, {"axes": -1})
                case(op, [x], fn, {"axes": 0, "keepDims": True})
    for op in ("sum", "prod"):
        fn = lambda x, f=getattr(torch, op): f(x)
        for dtype in ("int32", "uint8", "bool"):
            case(op, [inp([3, 4], dtype, low=1, high=3)], fn)
    for op in ("max", "min"):
        fn = lambda x, f=getattr(torch, op): f(x)
        for x in (inp([3, 4]), over[-1][0], inp([2, 3], "int32"), inp([]), inp([4, 3], view=[["transpose", 0, 1]]),
                  inp([3], data=[1.0, math.nan, 3.0])):
            case(op, [x], fn, float32=True, grad=math.nan not in x["data"])
        for dtype in ("uint8", "bool"):
            case(op, [inp([3, 4], dtype, low=0, high=200)], lambda x, f=getattr(torch, "amax" if op == "max" else "amin"): f(x))
    axis_cases()
    products()


def axis_cases():
    xs = [(inp([3, 4]), [0, 1, -1]), (inp([2, 3, 4]), [1, -2]), (inp([4, 3], view=[["transpose", 0, 1]]), [0, 1]),
          (inp([2, 4, 5, 3], view=[["permute", [0, 3, 1, 2]]]), [1, 3]), (inp([5, 1]), [1, 0]), (inp([]), [0, -1]),
          (inp([3, 2], view=[["slice", 0, 0, 3, 2]]), [0]),
          (inp([2, 6], data=[1.0, 5.0, 5.0, 2.0, 5.0, 1.0, 0.0, -1.0, -1.0, 3.0, -1.0, 0.0]), [1])]
    nan = inp([2, 4], data=[1.0, math.nan, 3.0, math.nan, -math.inf, math.inf, 2.0, math.inf])
    for op, method in (("maxAlong", "max"), ("minAlong", "min")):
        fn = lambda x, axis, keepDims=False, m=method: tuple(getattr(torch, m)(x, axis, keepdim=keepDims))
        for x, axes in xs:
            if x is not xs[-1][0]:
                for a in axes:
                    case(op, [x], fn, {"axis": a})
                case(op, [x], fn, {"axis": axes[0], "keepDims": True})
        case(op, [inp([3, 4], "int32")], fn, {"axis": 1})
        case(op, [inp([2, 0, 3])], fn, {"axis": 2})
        case(op, [nan], fn, {"axis": 1}, float32=True)
    for op in ("argmax", "argmin"):
        fn = lambda x, axis=None, keepDims=False, f=getattr(torch, op): f(x) if axis is None else f(x, axis, keepdim=keepDims)
        for x, axes in xs[:-1]:
            case(op, [x], fn)
            for a in axes:
                case(op, [x], fn, {"axis": a})
            case(op, [x], fn, {"axis": axes[0], "keepDims": True})
        case(op, [nan], fn, {"axis": 1}, float32=True)
        case(op, [inp([2, 3], "uint8", low=0, high=250)], fn, {"axis": 1})
    for op, torch_fn in (("softmax", torch.softmax), ("logSoftmax", torch.log_softmax)):
        fn = lambda x, axis, f=torch_fn: f(x, axis)
        for x, axes in xs:
            for a in axes:
                case(op, [x], fn, {"axis": a}, "chain")
        case(op, [inp([2, 0])], fn, {"axis": 1}, "chain")
        case(op, [inp([2, 3], data=[1000.0, 999.0, -1000.0, 1e30, 0.0, -1e30])], fn, {"axis": 1}, "chain")
        case(op, [inp([2, 3], data=[1.0, -math.inf, 2.0, -math.inf, 0.0, 1.0])], fn, {"axis": 1}, "chain")
    for op in ("cumsum", "cumprod"):
        fn = lambda x, axis, f=getattr(torch, op): f(x, axis)
        for x, axes in xs:
            for a in axes:
                case(op, [x], fn, {"axis": a})
        case(op, [inp([2, 0])], fn, {"axis": 1})
        case(op, [inp([5], data=[2.0, 0.0, 3.0, 0.0, 4.0])], fn, {"axis": 0})
        case(op, [inp([3, 4], "int32", low=1, high=3)], fn, {"axis": 1})
        case(op, [inp([5], "bool")], fn, {"axis": 0})
        case(op, [inp([4], "uint8", data=[200, 100, 3, 1])], fn, {"axis": 0})
    for descending in (False, True):
        fn = lambda x, axis=-1, descending=False: tuple(torch.sort(x, dim=axis, descending=descending, stable=True))
        for x, axes in xs:
            for a in axes:
                case("sort", [x], fn, {"axis": a, "descending": descending})
        case("sort", [nan], fn, {"axis": 1, "descending": descending}, float32=True)
        case("sort", [inp([3, 5], "int32", low=0, high=3)], fn, {"axis": 1, "descending": descending})
        case("sort", [inp([6], "bool")], fn, {"descending": descending})
        case("sort", [inp([2, 0])], fn, {"descending": descending})
    for x, k, axis, largest in ((inp([3, 4]), 2, -1, True), (inp([3, 4]), 2, 0, False), (inp([2, 5, 3]), 3, 1, True),
                                (inp([4]), 4, 0, True), (inp([4]), 0, 0, True), (inp([6, 4], view=[["transpose", 0, 1]]), 3, 1, False)):
        fn = lambda x, k, axis, largest: tuple(torch.topk(x, k, axis, largest))
        case("topk", [x], fn, {"k": k, "axis": axis, "largest": largest})


def products():
    fn = lambda x, axis=None, keepDims=False: x.prod() if axis is None else x.prod(axis, keepdim=keepDims)
    for x in (inp([3, 4]), inp([2, 3, 4]), inp([4, 3], view=[["transpose", 0, 1]]), inp([]), inp([1, 3]),
              inp([3, 4], data=[0.0, 2.0, 3.0, 4.0, 0.0, 0.0, 5.0, 6.0, 1.0, -2.0, 3.0, 0.5])):
        case("prod", [x], fn)
        for a in ([0, -1] if x["shape"] else [0]):
            case("prod", [x], fn, {"axis": a})
            case("prod", [x], fn, {"axis": a, "keepDims": True})
    case("prod", [inp([2, 0])], fn, {"axis": 1})
    case("prod", [inp([0])], fn)


# --- movement ----------------------------------------------------------------------------------------------------------

def movement():
    family("movement")
    t = [["transpose", 0, 1]]
    for x, shape in ((inp([3, 4]), [2, 6]), (inp([3, 4]), [-1]), (inp([3, 4]), [4, -1]), (inp([3, 4], view=t), [12]),
                     (inp([3, 4], view=t), [2, 2, 3]), (inp([]), [1, 1]), (inp([1]), []), (inp([0]), [0, 3]),
                     (inp([2, 0]), [5, 0]), (inp([2, 3, 4], view=[["permute", [0, 2, 1]]]), [2, 2, 2, 3]),
                     (inp([3, 1], view=[["expand", [3, 4]]]), [12]), (inp([3, 1], view=[["expand", [3, 4]]]), [3, 2, 2]),
                     (inp([6, 4], view=[["slice", 0, 0, 6, 2]]), [12]), (inp([6, 4], view=[["slice", 0, 0, 6, 2]]), [3, 2, 2])):
        case("reshape", [x], lambda x, shape: x.reshape(shape), {"shape": shape})
    for x, args in ((inp([2, 3, 4]), {}), (inp([2, 3, 4]), {"start": 1}), (inp([2, 3, 4]), {"start": 0, "end": 1}),
                    (inp([]), {}), (inp([2, 3, 4], view=[["permute", [2, 1, 0]]]), {"start": 1})):
        case("flatten", [x], lambda x, start=0, end=-1: torch.flatten(x, start, end), args)
    case("unflatten", [inp([2, 12])], lambda x, axis, sizes: x.unflatten(axis, sizes), {"axis": 1, "sizes": [3, -1]})
    case("unflatten", [inp([12, 2], view=t)], lambda x, axis, sizes: x.unflatten(axis, sizes), {"axis": -1, "sizes": [2, 6]})
    for order in ([2, 0, 1], [-1, 0, 1], [0, 1, 2]):
        case("permute", [inp([2, 3, 4])], lambda x, order: x.permute(order), {"order": order})
    case("permute", [inp([])], lambda x, order: x.permute(order), {"order": []})
    for a, b in ((0, 1), (-1, 0), (1, 1)):
        case("transpose", [inp([2, 3, 4])], lambda x, a, b: x.transpose(a, b), {"a": a, "b": b})
    for shape in ([2, 3], [3], []):
        case("t", [inp(shape)], lambda x: x.t())
    for x, args in ((inp([1, 3, 1, 2]), {}), (inp([1, 3, 1]), {"axes": 0}), (inp([1, 3, 1]), {"axes": 1}),
                    (inp([1, 3, 1]), {"axes": -1}), (inp([]), {}), (inp([1, 1]), {})):
        case("squeeze", [x], lambda x, axes=None: x.squeeze() if axes is None else x.squeeze(axes), args)
    for x, axis in ((inp([2, 3]), 0), (inp([2, 3]), 2), (inp([2, 3]), -1), (inp([2, 3]), -3), (inp([]), 0)):
        case("unsqueeze", [x], lambda x, axis: x.unsqueeze(axis), {"axis": axis})
    for x, sizes in ((inp([3, 1]), [3, 4]), (inp([3, 1]), [2, -1, 4]), (inp([]), [2, 3]), (inp([1]), [0]), (inp([3]), [2, 3]),
                     (inp([1, 3]), [1, 3]), (inp([4, 1, 3], view=[["permute", [2, 1, 0]]]), [3, 2, 4])):
        case("expand", [x], lambda x, sizes: x.expand(sizes), {"sizes": sizes})
    for x, times in ((inp([2, 3]), [2, 2]), (inp([3]), [2, 3]), (inp([2, 3]), [1, 0]), (inp([2, 3]), [1, 1]),
                     (inp([]), [3]), (inp([3, 2], view=t), [2, 1])):
        case("repeat", [x], lambda x, times: x.repeat(times), {"times": times})
    slices()
    joins()


def slices():
    t = [["transpose", 0, 1]]

    def run(x, axis, start=None, end=None, step=None):
        return take(x, ["slice", axis, start, end, step])
    for x, args in ((inp([6, 4]), {"axis": 0, "start": 1, "end": 4}), (inp([6, 4]), {"axis": 0, "start": 1, "end": 6, "step": 2}),
                    (inp([6, 4]), {"axis": -1, "start": -3, "end": -1}), (inp([6]), {"axis": 0, "start": 4, "end": 2}),
                    (inp([6]), {"axis": 0, "start": -100, "end": 100, "step": 5}), (inp([6]), {"axis": 0}),
                    (inp([6]), {"axis": 0, "start": 6}), (inp([0]), {"axis": 0, "start": 0, "end": 1}),
                    (inp([6, 4], view=t), {"axis": 0, "start": 1, "step": 2})):
        case("slice", [x], run, args)
    for x, args in ((inp([3, 4]), {"axis": 0, "index": 1}), (inp([3, 4]), {"axis": -1, "index": -1}),
                    (inp([2, 3, 4], view=[["permute", [1, 0, 2]]]), {"axis": 1, "index": 0}), (inp([3]), {"axis": 0, "index": 2})):
        case("select", [x], lambda x, axis, index: x.select(axis, index), args)
    case("at", [inp([3, 4])], lambda x: x[1, -2])
    case("at", [inp([3, 4, 2])], lambda x: x[1, -2])
    for x, args in ((inp([7, 2]), {"sizes": 3}), (inp([2, 7]), {"sizes": [1, 0, 6], "axis": 1}), (inp([6]), {"sizes": 2}),
                    (inp([2, 7]), {"sizes": 10, "axis": -1}), (inp([4, 6], view=t), {"sizes": 4})):
        case("split", [x], lambda x, sizes, axis=0: torch.split(x, sizes, axis), args)
    for x, args in ((inp([7, 2]), {"count": 3}), (inp([2, 7]), {"count": 4, "axis": 1}), (inp([2]), {"count": 5}), (inp([6]), {"count": 1})):
        case("chunk", [x], lambda x, count, axis=0: torch.chunk(x, count, axis), args)
    for x, axes in ((inp([3, 4]), 0), (inp([3, 4]), [0, 1]), (inp([2, 3, 4]), [-1, 0]), (inp([0, 2]), 0), (inp([4, 3], view=t), 1)):
        case("flip", [x], lambda x, axes: x.flip(axes), {"axes": axes})
    for x, args in ((inp([5]), {"shift": 2}), (inp([5]), {"shift": -7}), (inp([3, 4]), {"shift": 1, "axis": 1}), (inp([3, 4]), {"shift": 5}),
                    (inp([3, 4]), {"shift": -2, "axis": 0}), (inp([3, 4]), {"shift": [1, -1], "axis": [0, 1]}), (inp([0]), {"shift": 3}),
                    (inp([4, 3], view=t), {"shift": 1, "axis": -1}), (inp([2, 3]), {"shift": 0, "axis": 0})):
        case("roll", [x], lambda x, shift, axis=None: torch.roll(x, shift, axis), args)
    for x, args in ((inp([2, 3]), {"sizes": [1, 2]}), (inp([2, 3]), {"sizes": [0, 1, 2, 0], "value": 1.5}), (inp([3]), {"sizes": [0, 0]}),
                    (inp([2, 3, 2, 2]), {"sizes": [1, 1, 1, 1]}), (inp([3, 2], view=t), {"sizes": [1, 0, 0, 2], "value": -1}),
                    (inp([2, 3], "int32"), {"sizes": [1, 1], "value": 7}), (inp([2, 0]), {"sizes": [1, 1]}),
                    (inp([3, 5]), {"sizes": [-1, 2]}), (inp([3, 5]), {"sizes": [1, -2, -1, 0], "value": 2})):
        case("pad", [x], lambda x, sizes, value=0: F.pad(x, sizes, value=value), args)
    for op in ("tril", "triu"):
        for x in (inp([4, 4]), inp([3, 5]), inp([2, 3, 3]), inp([4, 3], view=t), inp([3, 3], "int32"), inp([3, 3], "bool"),
                  inp([2, 2], data=[math.nan, math.inf, -math.inf, math.nan])):
            for k in ((0, 1, -1, 10, -10) if x["shape"] == [4, 4] else (0, 1)):
                case(op, [x], lambda x, k, f=getattr(torch, op): f(x, k), {"k": k})


def joins():
    t = [["transpose", 0, 1]]
    cat = lambda *xs, axis=0: torch.cat(xs, axis)
    case("cat", [inp([2, 3]), inp([1, 3], seed=1), inp([4, 3], seed=2)], cat)
    case("cat", [inp([2, 3]), inp([2, 1], seed=1)], cat, {"axis": -1})
    case("cat", [inp([3, 2], view=t), inp([2, 0], seed=1), inp([2, 2], seed=2)], cat, {"axis": 1})
    case("cat", [inp([2])], cat)
    case("cat", [inp([2], "int32"), inp([3], "int32")], cat)
    case("cat", [inp([2], "int32"), inp([3])], cat, float32=True)
    case("cat", [inp([2], "bool"), inp([3], "uint8", low=0, high=5)], cat)
    case("cat", [inp([1, 3], view=[["expand", [2, 3]]]), inp([2, 3])], cat)
    stack = lambda *xs, axis=0: torch.stack(xs, axis)
    case("stack", [inp([2, 3]), inp([2, 3], seed=1)], stack)
    case("stack", [inp([2, 3]), inp([2, 3], seed=1)], stack, {"axis": -1})
    case("stack", [inp([]), inp([], seed=1), inp([], seed=2)], stack)
    case("stack", [inp([3, 2], view=t), inp([2, 3], seed=1)], stack, {"axis": 1})
    case("broadcastTensors", [inp([3, 1]), inp([4], seed=1), inp([], seed=2)], lambda *xs: torch.broadcast_tensors(*xs))
    for target in ("int32", "uint8", "bool", "float32"):
        fn = lambda x, dtype: x.to(getattr(torch, dtype))
        case("to", [inp([6], data=[0.0, 0.9, -0.9, 1.5, 3.999, 200.25])], fn, {"dtype": target}, float32=True) if target != "uint8" else None
        case("to", [inp([4], "int32", data=[0, 1, 255, -3])], fn, {"dtype": target}, float32=True)
        case("to", [inp([3], "bool")], fn, {"dtype": target}, float32=True)
        case("to", [inp([3, 2], "uint8", low=0, high=250, view=t)], fn, {"dtype": target}, float32=True)
    case("contiguous", [inp([3, 4], view=t)], lambda x: x.contiguous())
    case("clone", [inp([3, 1], view=[["expand", [3, 4]]])], lambda x: x.clone())


# --- products ----------------------------------------------------------------------------------------------------------

def matrix():
    family("matrix")
    mm = torch.matmul
    t2, tb = [["transpose", 0, 1]], [["transpose", -1, -2]]
    shapes = [([3], [3]), ([3], [3, 4]), ([2, 3], [3]), ([2, 3], [3, 4]), ([5, 2, 3], [3, 4]), ([5, 2, 3], [5, 3, 4]),
              ([2, 3], [5, 3, 4]), ([5, 1, 2, 3], [4, 3, 2]), ([1, 2, 3], [5, 3, 4]), ([3], [5, 3, 4]), ([5, 2, 3], [3]),
              ([0, 3], [3, 4]), ([2, 0], [0, 4]), ([2, 3], [3, 0]), ([2, 3, 0], [0, 4]), ([0, 2, 3], [3, 4]), ([1, 1], [1, 1]),
              ([2, 0, 3], [2, 3, 4]), ([33, 65], [65, 17]), ([0], [0]), ([3, 1, 0], [0, 2]), ([2, 2, 3, 4], [2, 1, 4, 2])]
    for a, b in shapes:
        case("matmul", [inp(a), inp(b, seed=1)], mm)
    case("matmul", [inp([3, 2], view=t2), inp([3, 4], seed=1)], mm)
    case("matmul", [inp([3, 2], view=t2), inp([4, 3], view=t2, seed=1)], mm)
    case("matmul", [inp([5, 3, 2], view=tb), inp([5, 4, 3], view=tb, seed=1)], mm)
    case("matmul", [inp([1, 3], view=[["expand", [4, 3]]]), inp([3, 1], seed=1, view=[["expand", [3, 2]]])], mm)
    case("matmul", [inp([6, 8], view=[["slice", 0, 0, 6, 2], ["slice", 1, 1, 8, 2]]), inp([4, 5], seed=1)], mm)
    case("matmul", [inp([2, 3, 4], view=[["permute", [1, 0, 2]]]), inp([4, 2], seed=1)], mm)
    case("matmul", [inp([2, 4, 3, 5], view=[["permute", [0, 2, 1, 3]]]), inp([2, 6, 3, 5], seed=1, view=[["permute", [0, 2, 3, 1]]])], mm)
    case("matmul", [inp([2, 3], "int32", low=-4, high=4), inp([3, 2], "int32", low=-4, high=4, seed=1)], mm)
    case("matmul", [inp([2, 2], data=[math.inf, 1.0, 0.0, math.nan]), inp([2, 2], data=[1.0, 0.0, 2.0, 1.0])], mm, float32=True)
    linear = lambda x, w, b=None: F.linear(x, w, b)
    for x, w in (([2, 3], [4, 3]), ([3], [4, 3]), ([5, 2, 3], [4, 3]), ([0, 3], [4, 3]), ([2, 0], [4, 0]), ([2, 5, 0], [4, 0]), ([2, 3], [1, 3])):
        case("linear", [inp(x), inp(w, seed=1)], linear)
        case("linear", [inp(x), inp(w, seed=1), inp([w[0]], seed=2)], linear)
    case("linear", [inp([3, 2], view=t2), inp([3, 4], seed=1, view=t2), inp([4], seed=2)], linear)
    einsum = lambda *xs, equation: torch.einsum(equation, *xs)
    for equation, *operands in (
        ("ij,jk->ik", [2, 3], [3, 4]), ("ij,jk", [2, 3], [3, 4]), ("bij,bjk->bik", [5, 2, 3], [5, 3, 4]), ("ij->ji", [2, 3]),
        ("ij->", [2, 3]), ("ij->i", [2, 3]), ("ii->i", [3, 3]), ("ii->", [3, 3]), ("ii", [3, 3]), ("i,j->ij", [2], [3]),
        ("i,i->", [3], [3]), ("i,i", [3], [3]), ("ij,ij->ij", [2, 3], [2, 3]), ("ij,kj->ik", [2, 3], [4, 3]), ("bhqd,bhkd->bhqk", [2, 2, 3, 4], [2, 2, 5, 4]),
        ("ijk,jil->kl", [2, 3, 4], [3, 2, 5]), ("ij,jk,kl->il", [2, 3], [3, 4], [4, 5]), ("a,b,c->cab", [2], [3], [4]),
        ("iij->j", [3, 3, 2]), ("ij,i->j", [2, 3], [2]), ("ij,i", [2, 3], [2]), ("ba", [2, 3]), ("Ab,bC", [2, 3], [3, 4]),
        ("ijj,jk->ik", [2, 3, 3], [3, 2]), (" i j , j k -> i k ", [2, 3], [3, 4]), ("ij,k->ik", [2, 3], [4]), ("ij,jk->ik", [2, 0], [0, 4]),
        ("...ij,...jk->...ik", [5, 2, 3], [3, 4]), ("...i->...", [2, 3, 4]), ("i...,i...->...", [3, 2], [3, 1]), ("...ij->...ji", [2, 3, 4]),
        ("...ij,...jk", [5, 1, 2, 3], [4, 3, 2]), ("b...,b->b...", [2, 3, 4], [2]), ("ij,jk->ik", [2, 1], [3, 4]), ("ij,ij->i", [2, 1], [2, 3]),
    ):
        case("einsum", [inp(s, seed=i) for i, s in enumerate(operands)], einsum, {"equation": equation})


# --- indexing and losses -----------------------------------------------------------------------------------------------

def indexing():
    family("indexing")
    t = [["transpose", 0, 1]]
    gather = lambda x, i, axis: torch.gather(x, axis, i.long())
    for x, index, axis in ((inp([3, 4]), inp([2, 4], "int32", low=0, high=2), 0), (inp([3, 4]), inp([3, 6], "int32", low=0, high=3), 1),
                           (inp([3, 4]), inp([2, 3], "int32", low=0, high=3), -1), (inp([4, 3], view=t), inp([3, 2], "int32", low=0, high=3), 1),
                           (inp([2, 3, 4]), inp([2, 5, 4], "int32", low=0, high=2), 1), (inp([3]), inp([0], "int32"), 0), (inp([3, 4]), inp([0, 4], "int32"), 0),
                           (inp([3, 4]), inp([4, 2], "int32", low=0, high=2, view=t), 0), (inp([4], "int32"), inp([3], "int32", low=0, high=3), 0),
                           (inp([3, 4]), inp([1, 4], "int32", low=0, high=2, view=[["expand", [5, 4]]]), 0), (inp([]), inp([], "int32", data=[0]), 0)):
        case("gather", [x, index], gather, {"axis": axis})
    scatter = lambda x, i, s, axis: x.scatter_add(axis, i.long(), s)
    for x, index, source, axis in ((inp([3, 4]), inp([2, 4], "int32", low=0, high=2), inp([2, 4], seed=1), 0),
                                   (inp([3, 4]), inp([3, 6], "int32", low=0, high=3), inp([3, 6], seed=1), 1),
                                   (inp([3, 4]), inp([2, 3], "int32", low=0, high=3), inp([2, 3], seed=1), -1),
                                   (inp([4, 3], view=t), inp([3, 2], "int32", low=0, high=3), inp([2, 3], seed=1, view=t), 1),
                                   (inp([3]), inp([0], "int32"), inp([0], seed=1), 0),
                                   (inp([3], "int32"), inp([4], "int32", low=0, high=2), inp([4], "int32", seed=1), 0),
                                   (inp([2, 2, 3]), inp([2, 2, 3], "int32", data=[0] * 12), inp([2, 2, 3], seed=1), 1)):
        case("scatterAdd", [x, index, source], scatter, {"axis": axis})
    select = lambda x, i, axis: x.index_select(axis, i.long())
    for x, index, axis in ((inp([3, 4]), inp([5], "int32", low=0, high=2), 0), (inp([3, 4]), inp([2], "int32", low=0, high=3), -1),
                           (inp([4, 3], view=t), inp([4], "int32", low=0, high=2), 0), (inp([3, 4]), inp([0], "int32"), 0),
                           (inp([2, 3, 4]), inp([4], "int32", data=[2, 0, 0, 1]), 1), (inp([3, 2], "uint8", low=0, high=200), inp([2], "int32", data=[2, 0]), 0),
                           (inp([3, 4], view=[["slice", 1, 0, 4, 2]]), inp([6], "int32", low=0, high=2, view=[["slice", 0, 0, 6, 2]]), 0)):
        case("indexSelect", [x, index], select, {"axis": axis})
    loss = lambda x, y, ignoreIndex=-100: F.cross_entropy(x, y.long(), reduction="none", ignore_index=ignoreIndex)
    for x, y, args in ((inp([4, 5]), inp([4], "int32", low=0, high=4), {}), (inp([5, 4], view=t), inp([4], "int32", low=0, high=4), {}),
                       (inp([4, 5]), inp([4], "int32", data=[1, -100, 4, -100]), {}), (inp([4, 5]), inp([4], "int32", data=[1, 2, 4, 2]), {"ignoreIndex": 2}),
                       (inp([0, 5]), inp([0], "int32"), {}), (inp([2, 1]), inp([2], "int32", data=[0, 0]), {}),
                       (inp([3, 3], data=[1000.0, -1000.0, 0.0, 1e20, 0.0, 1.0, -50.0, -60.0, -70.0]), inp([3], "int32", data=[1, 0, 2]), {}),
                       (inp([6, 5], view=[["slice", 0, 0, 6, 2]]), inp([6], "int32", low=0, high=4, view=[["slice", 0, 1, 6, 2]]), {}),
                       (inp([70, 11]), inp([70], "int32", low=0, high=10), {})):
        case("crossEntropy", [x, y], loss, args, "chain")


# --- what prints -------------------------------------------------------------------------------------------------------

def printing():
    family("printing")
    values = [
        ([], [1.5]), ([], [3.0]), ([3], [1.0, 2.0, 3.0]), ([3], [1.5, 2.25, -3.125]), ([2, 2], [0.1, 100.0, -3.0, 4.5]), ([2], [1.0, 2000.0]),
        ([2], [0.5, 2000.0]), ([2], [1e-5, 1.0]), ([3], [1e10, 1.0, 2.0]), ([2], [1e9, 2e9]), ([4], [math.nan, 1.0, math.inf, -math.inf]),
        ([3], [math.nan, 1.5, -math.inf]), ([2], [0.0, 0.0]), ([2], [-0.0, 1.5]), ([2, 1, 3], [1.0, 2.0, 3.0, 4.0, 5.0, 6.0]), ([2, 2, 2, 1], [float(i) for i in range(8)]),
        ([0], []), ([2, 0], []), ([20], [float(i) for i in range(20)]), ([30], [i / 7 for i in range(30)]), ([2], [12345.678, 23456.789]), ([3], [-1.0, 10.0, -100.0]),
        ([2], [0.00012, 0.00011]), ([2], [99999999.0, 1e8]), ([1001], [float(i) for i in range(1001)]), ([40, 30], [i / 10 for i in range(1200)]), ([1], [math.nan]), ([2], [1e-40, 1.0]),
        ([7, 200], [float(i % 9) for i in range(1400)]), ([2], [123456.0, 1000000.0]), ([], [math.inf]), ([], [1e-7]), ([2, 3], [1e-3, 0.5, 0.25, -1e-3, 0.1, 1.0]),
    ]
    for shape, data in values:
        text = str(torch.tensor(data, dtype=torch.float32).reshape(shape))
        current.append({"shape": shape, "dtype": "float32", "data": plain(data), "text": text})
    for shape, data in (([3], [1, -20, 300]), ([], [7]), ([2, 2], [1, 2, 3, 4]), ([1100], list(range(1100))), ([0], [])):
        text = str(torch.tensor(data, dtype=torch.int64).reshape(shape)).replace(", dtype=torch.int64", "")
        current.append({"shape": shape, "dtype": "int32", "data": data, "text": text})
    for shape, data in (([3], [1, 0, 1]), ([2, 2], [1, 1, 1, 1]), ([], [0])):
        text = str(torch.tensor(data, dtype=torch.bool).reshape(shape)).replace("True", "true").replace("False", "false")
        current.append({"shape": shape, "dtype": "bool", "data": data, "text": text})


def main():
    elementwise_unary()
    elementwise_binary()
    elementwise_ternary()
    reductions()
    movement()
    matrix()
    indexing()
    printing()
    for name, cases in families.items():
        lines = ",\n".join(json.dumps(c, separators=(",", ":"), allow_nan=False) for c in cases)
        text = f"[\n{lines}\n]\n"
        (HERE / f"{name}.json").write_text(text)
        print(f"{name}: {len(cases)} cases, {len(text)} bytes, crc {zlib.crc32(text.encode()):08x}")


if __name__ == "__main__":
    torch.manual_seed(0)
    main()
