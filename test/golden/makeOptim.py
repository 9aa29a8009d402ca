"""Records PyTorch's optimizers: 20 steps on a small problem, in float64.

Run with PyTorch: python3 test/golden/makeOptim.py. Writes optim.json beside itself.
The loss is the sum of scale * (1 - cos(p - target)) over three parameters; all numbers are ones both sides make exactly,
see numbers(). The lr is halved after step 10. With groups, the last parameter has 0.3 times the lr.
"""
import json
import os

import torch

torch.set_default_dtype(torch.float64)

SHAPES = [[3, 4], [4], [2, 3, 2]]
KEPT = [1, 2, 3, 7, 11, 20]


def numbers(shape, seed):
    """Multiples of 1/256 in [-1, 1)."""
    count = 1
    for size in shape:
        count *= size
    return (((torch.arange(count) * 37 + seed * 101) % 512).double() / 256 - 1).reshape(shape)


def run(make, lr, options, groups):
    params = [numbers(shape, i + 1).requires_grad_() for i, shape in enumerate(SHAPES)]
    targets = [numbers(shape, i + 11) for i, shape in enumerate(SHAPES)]
    scales = [numbers(shape, i + 21) + 1.25 for i, shape in enumerate(SHAPES)]
    given = [{"params": params[:2]}, {"params": params[2:], "lr": 0.3 * lr}] if groups else params
    optimizer = make(given, lr=lr, **options)
    kept = []
    for step in range(1, 21):
        optimizer.zero_grad()
        sum((s * (1 - torch.cos(p - t))).sum() for p, t, s in zip(params, targets, scales)).backward()
        optimizer.step()
        if step == 10:
            for group in optimizer.param_groups:
                group["lr"] *= 0.5
        if step in KEPT:
            kept.append([float(f"{x:.12g}") for p in params for x in p.detach().flatten().tolist()])
    return kept


O = torch.optim
CASES = [
    ("sgd", O.SGD, 0.1, [{}, {"weight_decay": 0.1}, {"momentum": 0.9}, {"momentum": 0.9, "dampening": 0.5},
                         {"momentum": 0.9, "nesterov": True}, {"momentum": 0.8, "nesterov": True, "weight_decay": 0.05},
                         {"momentum": 0.9, "dampening": 0.9, "weight_decay": 0.05}]),
    ("adam", O.Adam, 0.05, [{}, {"weight_decay": 0.1}, {"betas": (0.8, 0.95), "eps": 1e-3}]),
    ("adamW", O.AdamW, 0.05, [{}, {"weight_decay": 0.3}, {"weight_decay": 0}]),
    ("rmsProp", O.RMSprop, 0.02, [{}, {"alpha": 0.9}, {"centered": True}, {"momentum": 0.7},
                                  {"momentum": 0.7, "centered": True, "alpha": 0.9, "weight_decay": 0.1, "eps": 1e-4}]),
    ("adagrad", O.Adagrad, 0.1, [{}, {"lr_decay": 0.1, "weight_decay": 0.1}, {"eps": 0.1}]),
    ("adadelta", O.Adadelta, 1.0, [{}, {"rho": 0.8, "eps": 1e-3, "weight_decay": 0.1}]),
    ("radam", O.RAdam, 0.05, [{}, {"weight_decay": 0.1}, {"betas": (0.8, 0.95), "eps": 1e-3}]),
]
NAMES = {"weight_decay": "weightDecay", "alpha": "squareMomentum", "rho": "squareMomentum", "lr_decay": "lrDecay"}

cases = []
for name, make, lr, settings in CASES:
    for i, options in enumerate(settings):
        named = {NAMES.get(key, key): value for key, value in options.items() if key != "betas"}
        if "betas" in options:
            named["momentum"], named["squareMomentum"] = options["betas"]
        for groups in [False, True] if i == len(settings) - 1 else [False]:
            case = {"optimizer": name, "options": {"lr": lr, **named}, "groups": groups}
            cases.append({**case, "steps": KEPT, "params": run(make, lr, options, groups)})

path = os.path.join(os.path.dirname(os.path.abspath(__file__)), "optim.json")
with open(path, "w") as file:
    file.write("[\n" + ",\n".join(json.dumps(case, separators=(",", ":")) for case in cases) + "\n]\n")
print(len(cases), os.path.getsize(path))
