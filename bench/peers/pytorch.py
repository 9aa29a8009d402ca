"""PyTorch's side of the bench: reads one JSON request a line, answers each with one JSON line.
Answers go to file descriptor 3; what libraries print is not part of the protocol.

{"prepare": work, "options": {...}} -> {"parameters": n} | {"unsupported": reason}
{"run": steps, "seed": n}           -> {"seconds": s, "peakMB": m, ...}
Asked for nothing, it blocks on its input and costs nothing.
"""

import json
import os
import resource
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


def conv_norm(ni, nf, kernel, stride=1, act=True, bias=False, zero=False):
    norm = nn.BatchNorm2d(nf)
    nn.init.constant_(norm.weight, 0.0 if zero else 1.0)
    layers = [nn.Conv2d(ni, nf, kernel, stride, padding=kernel // 2, bias=bias), norm]
    return nn.Sequential(*layers, nn.ReLU()) if act else nn.Sequential(*layers)


class XResBlock(nn.Module):
    def __init__(self, ni, nf, stride):
        super().__init__()
        self.convs = nn.Sequential(conv_norm(ni, nf, 3, stride), conv_norm(nf, nf, 3, act=False, zero=True))
        path = [] if stride == 1 else [nn.AvgPool2d(2, ceil_mode=True)]
        if ni != nf:
            path.append(conv_norm(ni, nf, 1, act=False))
        self.idpath = nn.Sequential(*path)
        self.act = nn.ReLU()

    def forward(self, x):
        return self.act(self.convs(x) + self.idpath(x))


def xresnet18(channels, classes=10):
    sizes = [channels, (channels + 1) * 8, 64, 64]
    layers = [conv_norm(sizes[i], sizes[i + 1], 3, 2 if i == 0 else 1) for i in range(3)]
    layers.append(nn.MaxPool2d(3, 2, 1))
    ni = 64
    for nf, stride in [(64, 1), (128, 2), (256, 2), (512, 2)]:
        layers += [XResBlock(ni, nf, stride), XResBlock(nf, nf, 1)]
        ni = nf
    model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(512, classes))
    for m in model.modules():
        if isinstance(m, (nn.Conv2d, nn.Linear)):
            nn.init.kaiming_normal_(m.weight)
            if m.bias is not None:
                nn.init.zeros_(m.bias)
    return model


class GeneralRelu(nn.Module):
    def forward(self, x):
        return F.leaky_relu(x, 0.1) - 0.4


class MiniResBlock(nn.Module):
    """Here the convolutions keep their biases, as the course's do."""

    def __init__(self, ni, nf, stride):
        super().__init__()
        first = nn.Sequential(nn.Conv2d(ni, nf, 3, 1, 1), nn.BatchNorm2d(nf), GeneralRelu())
        second = nn.Sequential(nn.Conv2d(nf, nf, 3, stride, 1), nn.BatchNorm2d(nf))
        self.convs = nn.Sequential(first, second)
        self.idconv = nn.Identity() if ni == nf else nn.Conv2d(ni, nf, 1)
        self.pool = nn.Identity() if stride == 1 else nn.AvgPool2d(2, ceil_mode=True)
        self.act = GeneralRelu()

    def forward(self, x):
        return self.act(self.convs(x) + self.idconv(self.pool(x)))


def resnet_miniai():
    sizes = [8, 16, 32, 64, 128, 256]
    blocks = [MiniResBlock(1, 8, 1)] + [MiniResBlock(a, b, 2) for a, b in zip(sizes, sizes[1:])]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(256, 10, bias=False), nn.BatchNorm1d(10))


def cnn():
    convs = [conv_norm(1, 8, 5, 2), conv_norm(8, 16, 3, 2), conv_norm(16, 32, 3, 2), conv_norm(32, 32, 3, 2)]
    return nn.Sequential(*convs, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(32, 10))


def mlp(inputs, hidden):
    return nn.Sequential(nn.Linear(inputs, hidden), nn.ReLU(), nn.Linear(hidden, 10))


def build(work, options):
    c, h, w = work["image"]
    if work["model"] == "mlp":
        return mlp(c * h * w, work["hidden"])
    model = {"cnn": cnn, "xresnet18": lambda: xresnet18(c), "resnet-miniai": resnet_miniai}[work["model"]]()
    return model.to(memory_format=torch.channels_last) if options.get("channelsLast") else model


def make_optimizer(work, parameters):
    lr = work["lr"]
    return {
        "sgd": lambda: torch.optim.SGD(parameters, lr=lr),
        "momentum": lambda: torch.optim.SGD(parameters, lr=lr, momentum=0.9),
        "adam": lambda: torch.optim.Adam(parameters, lr=lr),
        "adamW": lambda: torch.optim.AdamW(parameters, lr=lr),
    }[work["optimizer"]]()


def count(model):
    return sum(p.numel() for p in model.parameters())


class Training:
    """Also the uninterrupted loop: there, one run is the whole loop."""

    def __init__(self, work, options):
        self.work = work
        self.model = build(work, options)
        self.optimizer = make_optimizer(work, self.model.parameters())
        self.parameters = count(self.model)
        shape = [work["batch"], *work["image"]]
        xs = [torch.rand(shape) for _ in range(work["batches"])]
        if work["model"] == "mlp":
            xs = [x.flatten(1) for x in xs]
        elif options.get("channelsLast"):
            xs = [x.to(memory_format=torch.channels_last) for x in xs]
        self.xs = xs
        self.ys = [torch.randint(0, 10, [work["batch"]]) for _ in xs]
        self.i = 0

    def step(self):
        k = self.i % len(self.xs)
        self.i += 1
        loss = F.cross_entropy(self.model(self.xs[k]), self.ys[k])
        loss.backward()
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return loss

    def run(self, steps, _):
        if self.work["kind"] == "loop":
            return self.loop()
        start = time.perf_counter()
        for _ in range(steps):
            loss = self.step()
        return {"seconds": time.perf_counter() - start, "loss": loss.item()}

    def loop(self):
        start = time.perf_counter()
        for i in range(self.work["steps"]):
            loss = self.step()
            if i + 1 == self.work["settled"]:
                settled = memory()
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "loss": loss.item(), "settledMB": settled, "endMB": memory()}


def idx(path, header):
    with open(path, "rb") as file:
        return torch.frombuffer(bytearray(file.read()[header:]), dtype=torch.uint8)


class Mnist:
    """The main job: with a DataLoader over a TensorDataset, or with slices of a permutation."""

    def __init__(self, work, options):
        self.work, self.options = work, options
        folder, n = work["files"], work["train"]
        x = idx(os.path.join(folder, "train-images-idx3-ubyte"), 16).view(-1, 784).float() / 255
        y = idx(os.path.join(folder, "train-labels-idx1-ubyte"), 8).long()
        self.train, self.valid = (x[:n], y[:n]), (x[n:], y[n:])
        self.parameters = count(mlp(784, work["hidden"]))

    def batches(self, data, size, shuffle):
        x, y = data
        if self.options["loader"] == "DataLoader":
            dataset = torch.utils.data.TensorDataset(x, y)
            yield from torch.utils.data.DataLoader(dataset, batch_size=size, shuffle=shuffle, num_workers=0)
        elif shuffle:
            order = torch.randperm(len(x))
            for i in range(0, len(x), size):
                yield x[order[i : i + size]], y[order[i : i + size]]
        else:
            for i in range(0, len(x), size):
                yield x[i : i + size], y[i : i + size]

    def run(self, _, seed):
        work = self.work
        torch.manual_seed(seed)
        start = time.perf_counter()
        model = mlp(784, work["hidden"])
        optimizer = torch.optim.SGD(model.parameters(), lr=work["lr"])
        for _ in range(work["epochs"]):
            model.train()
            for xb, yb in self.batches(self.train, work["batch"], True):
                F.cross_entropy(model(xb), yb).backward()
                optimizer.step()
                optimizer.zero_grad(set_to_none=True)
            model.eval()
            right = loss = 0.0
            with torch.no_grad():
                for xb, yb in self.batches(self.valid, work["validBatch"], False):
                    out = model(xb)
                    loss += F.cross_entropy(out, yb).item() * len(xb)
                    right += (out.argmax(1) == yb).sum().item()
        seconds = time.perf_counter() - start
        return {"seconds": seconds, "accuracy": right / len(self.valid[0]), "loss": loss / len(self.valid[0])}


class Repeated:
    """A function called again and again; the result of the last call is dropped."""

    parameters = 0

    def __init__(self, once):
        self.once = once

    def run(self, steps, _):
        start = time.perf_counter()
        for _ in range(steps):
            self.once()
        return {"seconds": time.perf_counter() - start}


def gemm(work, _):
    a, b = torch.randn(work["size"], work["size"]), torch.randn(work["size"], work["size"])
    return Repeated(lambda: a @ b)


def elementwise(work, _):
    x = torch.randn(work["size"], requires_grad=True)

    def once():
        x.grad = None
        F.gelu(x * work["a"] + work["b"]).sum().backward()

    return Repeated(once)


def conv(work, options):
    x = torch.randn(work["input"])
    kernel = work["kernel"]
    w = torch.randn(work["filters"], work["input"][1] // work["groups"], kernel, kernel)
    if options.get("channelsLast"):
        x, w = x.to(memory_format=torch.channels_last), w.to(memory_format=torch.channels_last)
    settings = {"stride": work["stride"], "padding": work["padding"], "groups": work["groups"]}
    if work["direction"] == "forward":

        def forward():
            with torch.no_grad():
                F.conv2d(x, w, **settings)

        return Repeated(forward)
    wanted = x if work["direction"] == "backward-data" else w
    wanted.requires_grad_()
    y = F.conv2d(x, w, **settings)
    g = torch.randn_like(y)
    return Repeated(lambda: torch.autograd.grad(y, wanted, g, retain_graph=True))


def norm(work, options):
    shape = work["shape"]
    x = torch.randn(shape)
    if options.get("channelsLast") and len(shape) == 4:
        x = x.to(memory_format=torch.channels_last)
    x.requires_grad_()
    channels = shape[1]
    layer = {
        "batch": lambda: nn.BatchNorm2d(channels) if len(shape) == 4 else nn.BatchNorm1d(channels),
        "layer": lambda: nn.LayerNorm(shape[-1]),
        "group": lambda: nn.GroupNorm(work["groups"], channels),
        "instance": lambda: nn.InstanceNorm2d(channels, affine=True),
    }[work["norm"]]()
    g = torch.randn_like(x)

    def once():
        x.grad = layer.weight.grad = layer.bias.grad = None
        layer(x).backward(g)

    return Repeated(once)


def adam(work, _):
    parameters = [nn.Parameter(torch.randn(shape) * 0.01) for shape in work["shapes"]]
    for p in parameters:
        p.grad = torch.randn_like(p) * 0.01
    optimizers = [torch.optim.Adam(parameters, lr=work["lr"], foreach=foreach) for foreach in (False, True)]
    best = min(optimizers, key=lambda o: min(timed(o.step) for _ in range(4)))
    repeated = Repeated(best.step)
    repeated.parameters = sum(p.numel() for p in parameters)
    return repeated


def timed(once):
    start = time.perf_counter()
    once()
    return time.perf_counter() - start


def memory():
    """Peak resident memory of this process in MB. VmHWM, because ru_maxrss would count the parent before exec."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) / 1024
    except OSError:
        scale = 1024 * 1024 if sys.platform == "darwin" else 1024
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / scale


KINDS = {
    "train": Training,
    "loop": Training,
    "mnist": Mnist,
    "gemm": gemm,
    "elementwise": elementwise,
    "conv": conv,
    "norm": norm,
    "adam": adam,
}


def main(channel):
    current = None
    for line in sys.stdin:
        request = json.loads(line)
        try:
            if "prepare" in request:
                current = None  # frees the last one first
                work = request["prepare"]
                if work["kind"] in KINDS:
                    torch.manual_seed(42)
                    current = KINDS[work["kind"]](work, request["options"])
                    answer = {"parameters": current.parameters}
                else:
                    answer = {"unsupported": f"PyTorch has no {work['kind']}"}
            else:
                answer = {**current.run(request["run"], request["seed"]), "peakMB": memory()}
        except Exception as error:  # told to the one who asked; the next item may work
            answer = {"error": f"{type(error).__name__}: {error}"}
        print(json.dumps(answer), file=channel, flush=True)


if __name__ == "__main__":
    with os.fdopen(3, "w") as answers:
        hello = {"hello": f"PyTorch {torch.__version__}", "threads": torch.get_num_threads()}
        print(json.dumps(hello), file=answers, flush=True)
        main(answers)
