"""Operations that join elements along axes."""

import math

import torch
import torch.nn.functional as F

from record import case, family, inp


def dims(axes):
    return axes if axes is None or isinstance(axes, int) else tuple(axes)


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
