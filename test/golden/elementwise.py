"""Elementwise operations."""

import math

import torch
import torch.nn.functional as F

from record import FEW, SPECIAL, case, family, inp, layouts


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
