"""Operations that change how elements are arranged."""

import math

import torch
import torch.nn.functional as F

from record import case, family, inp, take


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
