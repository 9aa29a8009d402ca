"""Records PyTorch's values and gradients of convolution, pooling, normalisation, resizing and attention.

Run with PyTorch: python3 test/golden/makeConv.py. Writes conv.json, pool.json, norm.json and resize.json beside itself.
Inputs are numbers both sides can make exactly; see number().
"""
import json
import math
import os

import torch
import torch.nn.functional as F

torch.set_default_dtype(torch.float64)


def values(shape, seed, step=1):
    """Numbers in [-1, 1) without equals up to 1009 elements; with a step above 1 they are coarse, so that some are equal."""
    count = math.prod(shape)
    i = torch.arange(count)
    whole = (i * 7919 + seed * 10473) % 1009
    return ((whole // step * step).double() / 504.5 - 1).reshape(shape)


def flat(x):
    return [float(f"{v:.9g}") for v in x.detach().flatten().tolist()]


def record(case, inputs, run, coarse=1):
    """Adds result and gradients to a case; the loss weighs the result with values(seed 9)."""
    tensors = [None if shape is None else values(shape, k + 1, coarse).requires_grad_() for k, shape in enumerate(inputs)]
    y = run(*tensors)
    (y * values(list(y.shape), 9)).sum().backward()
    case["inputs"] = inputs
    case["shape"] = list(y.shape)
    case["result"] = flat(y)
    case["gradients"] = [None if t is None else flat(t.grad if t.grad is not None else torch.zeros_like(t)) for t in tensors]
    if coarse != 1:
        case["coarse"] = coarse
    return case


def write(name, cases):
    path = os.path.join(os.path.dirname(os.path.abspath(__file__)), name)
    with open(path, "w") as file:
        file.write("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]\n")
    print(name, len(cases), os.path.getsize(path))


def pairs(padding):
    """F.pad's order: last axis first."""
    return [n for pad in reversed(padding) for n in (pad if isinstance(pad, list) else [pad, pad])]


def conv_case(axes, x, w, bias=True, **options):
    function = [F.conv1d, F.conv2d, F.conv3d][axes - 1]
    named = {k: options[k] for k in ("stride", "dilation", "groups") if k in options}
    padding = options.get("padding", 0)

    def run(a, b, c):
        if padding == "same" or isinstance(padding, int):
            return function(a, b, c, padding=padding, **named)
        return function(F.pad(a, pairs(padding)), b, c, **named)

    return record({"op": f"conv{axes}d", "options": options}, [x, w, [w[0]] if bias else None], run)


def transposed_case(axes, x, w, bias=True, **options):
    function = [F.conv_transpose1d, F.conv_transpose2d, F.conv_transpose3d][axes - 1]
    names = {"stride": "stride", "padding": "padding", "outputPadding": "output_padding", "dilation": "dilation", "groups": "groups"}
    named = {names[k]: v for k, v in options.items()}
    m = w[1] * options.get("groups", 1)
    return record(
        {"op": f"convTranspose{axes}d", "options": options},
        [x, w, [m] if bias else None],
        lambda a, b, c: function(a, b, c, **named),
    )


def conv_cases():
    yield conv_case(1, [2, 3, 9], [4, 3, 3])
    yield conv_case(1, [2, 4, 10], [6, 2, 4], stride=3, padding=2, groups=2)
    yield conv_case(1, [1, 2, 8], [3, 2, 4], padding="same", dilation=2)
    yield conv_case(1, [3, 8], [2, 3, 3], bias=False, padding=[[2, 0]])
    yield conv_case(2, [2, 3, 5, 6], [4, 3, 3, 3])
    yield conv_case(2, [2, 3, 5, 6], [4, 3, 3, 3], bias=False, padding=1)
    yield conv_case(2, [1, 1, 7, 7], [8, 1, 5, 5], stride=2, padding=2)
    yield conv_case(2, [2, 8, 4, 4], [16, 8, 1, 1])
    yield conv_case(2, [2, 16, 1, 1], [4, 16, 1, 1])
    yield conv_case(2, [2, 3, 1, 1], [4, 3, 3, 3], padding=1)
    yield conv_case(2, [1, 4, 7, 5], [4, 4, 3, 2], stride=[2, 1], padding=[1, 0], dilation=[1, 2])
    yield conv_case(2, [2, 4, 6, 6], [6, 2, 3, 3], stride=2, padding=1, groups=2)
    yield conv_case(2, [2, 6, 5, 5], [6, 1, 3, 3], padding=1, groups=6)
    yield conv_case(2, [1, 4, 5, 5], [8, 1, 3, 3], padding=2, groups=4, dilation=2)
    yield conv_case(2, [1, 3, 6, 5], [2, 3, 2, 4], padding="same")
    yield conv_case(2, [1, 2, 6, 7], [3, 2, 3, 3], stride=2, padding=[[0, 1], [2, 1]])
    yield conv_case(2, [1, 2, 8, 8], [3, 2, 3, 3], stride=3)
    yield conv_case(2, [1, 2, 9, 9], [3, 2, 2, 2], stride=4)
    yield conv_case(2, [1, 3, 8, 8], [20, 3, 3, 3], stride=2, padding=1)
    yield conv_case(2, [1, 20, 4, 4], [17, 20, 3, 3], padding=1)
    yield conv_case(2, [3, 6, 6], [2, 3, 3, 3], padding=1)
    yield conv_case(3, [1, 2, 4, 5, 4], [3, 2, 2, 3, 3], padding=1)
    yield conv_case(3, [2, 2, 5, 4, 4], [2, 1, 3, 2, 2], stride=[2, 1, 2], groups=2)
    yield transposed_case(1, [2, 3, 5], [3, 4, 3])
    yield transposed_case(1, [2, 4, 5], [4, 2, 4], stride=3, padding=1, outputPadding=2, groups=2)
    yield transposed_case(2, [2, 3, 4, 3], [3, 2, 3, 3], stride=2, padding=1, outputPadding=1)
    yield transposed_case(2, [1, 4, 3, 3], [4, 3, 2, 2], stride=2)
    yield transposed_case(2, [1, 2, 3, 4], [2, 3, 3, 3], bias=False, dilation=2, padding=2)
    yield transposed_case(2, [1, 2, 3, 3], [2, 2, 3, 3], stride=1, dilation=3, outputPadding=2)
    yield transposed_case(2, [1, 2, 4, 4], [2, 3, 1, 1], stride=1, padding=1)
    yield transposed_case(2, [4, 3, 3], [4, 1, 3, 3], groups=4)
    yield transposed_case(3, [1, 2, 2, 3, 2], [2, 2, 2, 2, 3], stride=2, padding=[0, 1, 0])


def pool_case(op, x, kernel, coarse=1, **options):
    axes = int(op[-2])
    names = {"stride": "stride", "padding": "padding", "dilation": "dilation", "ceilMode": "ceil_mode", "countIncludePad": "count_include_pad"}
    named = {names[k]: v for k, v in options.items()}
    kinds = {"max": "max_pool", "avg": "avg_pool", "adaptiveAvg": "adaptive_avg_pool", "adaptiveMax": "adaptive_max_pool"}
    function = getattr(F, f"{kinds[op[:-6]]}{axes}d")
    return record({"op": op, "kernel": kernel, "options": options}, [x], lambda a: function(a, kernel, **named), coarse)


def pool_cases():
    yield pool_case("maxPool1d", [2, 3, 9], 3)
    yield pool_case("maxPool2d", [2, 3, 6, 6], 2)
    yield pool_case("maxPool2d", [2, 5, 7, 7], 3, stride=2, padding=1)
    yield pool_case("maxPool2d", [1, 17, 5, 6], 3, stride=2, padding=1)
    yield pool_case("maxPool2d", [1, 2, 7, 6], [3, 2], stride=[2, 3], padding=[1, 0], dilation=[2, 1])
    yield pool_case("maxPool2d", [1, 2, 7, 7], 2, stride=2, ceilMode=True)
    yield pool_case("maxPool2d", [1, 2, 5, 5], 3, stride=3, padding=1, ceilMode=True)
    yield pool_case("maxPool2d", [1, 3, 6, 6], 3, 200, stride=1, padding=1)
    yield pool_case("maxPool2d", [2, 3, 1, 1], 1)
    yield pool_case("maxPool2d", [3, 6, 6], 2)
    yield pool_case("maxPool3d", [1, 2, 4, 5, 4], 2, stride=[1, 2, 2], padding=1)
    yield pool_case("avgPool1d", [2, 3, 9], 3, stride=2, padding=1)
    yield pool_case("avgPool2d", [2, 3, 6, 6], 2)
    yield pool_case("avgPool2d", [1, 5, 7, 7], 2, ceilMode=True)
    yield pool_case("avgPool2d", [1, 2, 7, 7], 3, stride=2, padding=1)
    yield pool_case("avgPool2d", [1, 2, 7, 6], 3, stride=2, padding=1, countIncludePad=False)
    yield pool_case("avgPool2d", [1, 2, 5, 5], 3, stride=3, padding=1, ceilMode=True)
    yield pool_case("avgPool2d", [1, 2, 6, 6], 3, stride=2, padding=1, ceilMode=True, countIncludePad=False)
    yield pool_case("avgPool2d", [2, 3, 1, 1], 1)
    yield pool_case("avgPool3d", [1, 2, 4, 5, 4], 2, stride=[1, 2, 2], padding=1)
    yield pool_case("adaptiveAvgPool1d", [2, 3, 7], 3)
    yield pool_case("adaptiveAvgPool2d", [2, 3, 5, 4], 1)
    yield pool_case("adaptiveAvgPool2d", [1, 3, 6, 4], [3, 2])
    yield pool_case("adaptiveAvgPool2d", [1, 3, 7, 5], [3, 4])
    yield pool_case("adaptiveAvgPool2d", [1, 2, 3, 3], [5, 4])
    yield pool_case("adaptiveAvgPool3d", [1, 2, 3, 4, 5], [2, 2, 3])
    yield pool_case("adaptiveMaxPool1d", [2, 3, 7], 3)
    yield pool_case("adaptiveMaxPool2d", [2, 3, 5, 4], 1)
    yield pool_case("adaptiveMaxPool2d", [1, 3, 7, 5], [3, 4])
    yield pool_case("adaptiveMaxPool2d", [1, 2, 7, 5], [3, 4], 300)


def norm_case(op, x, affine=True, **options):
    eps = {"eps": options["eps"]} if "eps" in options else {}
    shape = {"layerNorm": options.get("normalizedShape")}.get(op) or [x[1]]

    def run(a, w, b):
        if op == "batchNorm":
            y = F.batch_norm(a, None, None, w, b, training=True, **eps)
            cut = options.get("rectifier")
            return F.leaky_relu(y, cut["leak"]) - cut["sub"] if cut else y
        if op == "layerNorm":
            return F.layer_norm(a, shape, w, b, **eps)
        if op == "groupNorm":
            return F.group_norm(a, options["groups"], w, b, **eps)
        return F.instance_norm(a, None, None, w, b, **eps)

    return record({"op": op, "options": options}, [x, shape if affine else None, shape if affine else None], run)


def running_case(op, x, steps, momentum, **options):
    """Statistics over several batches, then one batch outside training. momentum None is the cumulative average."""
    c = x[1]
    layers = {"batchNorm": [torch.nn.BatchNorm1d, torch.nn.BatchNorm2d], "instanceNorm": [torch.nn.InstanceNorm1d, torch.nn.InstanceNorm2d]}
    layer = layers[op][0 if len(x) < 4 else 1](c, momentum=momentum, affine=True, track_running_stats=True)
    with torch.no_grad():
        layer.weight.copy_(values([c], 2))
        layer.bias.copy_(values([c], 3))
    history = []
    for step in range(steps):
        y = layer(values(x, 10 + step) * (1 + step))
        history.append({"mean": flat(layer.running_mean), "var": flat(layer.running_var), "result": flat(y)})
    layer.eval()
    a = values(x, 1).requires_grad_()
    y = layer(a)
    (y * values(list(y.shape), 9)).sum().backward()
    return {
        "op": op,
        "inputs": [x, [c], [c]],
        "options": {"momentum": momentum, "steps": steps},
        "history": history,
        "shape": x,
        "result": flat(y),
        "gradients": [flat(a.grad), flat(layer.weight.grad), flat(layer.bias.grad)],
    }


def norm_cases():
    yield norm_case("batchNorm", [4, 3])
    yield norm_case("batchNorm", [4, 3], affine=False)
    yield norm_case("batchNorm", [3, 4, 5])
    yield norm_case("batchNorm", [2, 3, 4, 5], eps=1e-3)
    yield norm_case("batchNorm", [2, 19, 3, 3])
    yield norm_case("batchNorm", [2, 8, 1, 1])
    yield norm_case("batchNorm", [1, 3, 3, 4])
    yield norm_case("batchNorm", [2, 5, 4, 4], rectifier={"leak": 0, "sub": 0})
    yield norm_case("batchNorm", [2, 5, 4, 4], affine=False, rectifier={"leak": 0, "sub": 0})
    yield norm_case("batchNorm", [2, 5, 4, 4], rectifier={"leak": 0.1, "sub": 0.4})
    yield norm_case("batchNorm", [6, 20], rectifier={"leak": 0.3, "sub": 0})
    yield norm_case("batchNorm", [2, 2, 2, 3, 2])
    yield norm_case("layerNorm", [4, 7], normalizedShape=[7])
    yield norm_case("layerNorm", [2, 3, 5], normalizedShape=[3, 5], eps=1e-3)
    yield norm_case("layerNorm", [2, 3, 16], affine=False, normalizedShape=[16])
    yield norm_case("groupNorm", [2, 6, 3, 3], groups=3)
    yield norm_case("groupNorm", [2, 4, 5], groups=1)
    yield norm_case("groupNorm", [2, 4], groups=2)
    yield norm_case("groupNorm", [1, 4, 2, 2, 2], affine=False, groups=4)
    yield norm_case("instanceNorm", [2, 3, 4, 4])
    yield norm_case("instanceNorm", [2, 3, 7], affine=False)
    yield running_case("batchNorm", [4, 3, 3, 3], 4, 0.1)
    yield running_case("batchNorm", [4, 3], 3, 0.3)
    yield running_case("batchNorm", [2, 3, 4], 4, None)
    yield running_case("instanceNorm", [2, 3, 4, 3], 3, 0.1)


def resize_case(x, mode, size=None, scale=None, align=None):
    options = {"mode": mode}
    named = {"mode": mode}
    if size is not None:
        options["size"] = named["size"] = size
    if scale is not None:
        options["scaleFactor"] = named["scale_factor"] = scale
    if align is not None:
        options["alignCorners"] = named["align_corners"] = align
    return record({"op": "interpolate", "options": options}, [x], lambda a: F.interpolate(a, **named))


def attention(q, k, v, causal=False, mask=None):
    scores = q @ k.transpose(-1, -2) / math.sqrt(q.shape[-1])
    if causal:
        scores = scores.masked_fill(torch.ones(scores.shape[-2:]).tril() == 0, -math.inf)
    if mask is not None:
        scores = scores.masked_fill(~mask, -math.inf)
    return scores.softmax(-1) @ v


def resize_cases():
    yield resize_case([2, 3, 4], "nearest", scale=2)
    yield resize_case([1, 2, 3, 4], "nearest", scale=2)
    yield resize_case([1, 2, 5, 4], "nearest", size=[3, 7])
    yield resize_case([1, 2, 5, 4], "nearest", scale=1.7)
    yield resize_case([1, 2, 2, 3, 2], "nearest", scale=2)
    yield resize_case([2, 3, 4], "linear", size=7, align=False)
    yield resize_case([1, 2, 3, 4], "bilinear", scale=2, align=False)
    yield resize_case([1, 2, 3, 4], "bilinear", scale=2, align=True)
    yield resize_case([1, 2, 5, 7], "bilinear", size=[3, 4], align=False)
    yield resize_case([1, 2, 5, 7], "bilinear", size=[8, 1], align=True)
    yield resize_case([1, 2, 4, 4], "bilinear", scale=1.6, align=False)
    yield resize_case([1, 1, 3, 2, 3], "trilinear", scale=2, align=False)
    q, k, v = [2, 2, 4, 3], [2, 2, 5, 3], [2, 2, 5, 6]
    yield record({"op": "attention", "options": {}}, [q, k, v], attention)
    yield record({"op": "attention", "options": {"isCausal": True}}, [[2, 4, 3], [2, 4, 3], [2, 4, 2]], lambda *a: attention(*a, causal=True))
    mask = values([4, 5], 5) > -0.3
    yield record({"op": "attention", "options": {"mask": mask.int().tolist()}}, [q, k, v], lambda *a: attention(*a, mask=mask))


write("conv.json", list(conv_cases()))
write("pool.json", list(pool_cases()))
write("norm.json", list(norm_cases()))
write("resize.json", list(resize_cases()))
