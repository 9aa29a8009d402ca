"""Operations along one axis: extremes with positions, softmax, running sums, sorting, products."""

import math

import torch
import torch.nn.functional as F

from record import case, inp


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
