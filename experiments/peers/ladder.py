"""PyTorch's side of two rungs of the ladder: `python3 ladder.py FOLDER RUNG SEED`, FOLDER holding the four files.

Answers each line it is sent with one epoch, so that runs can be interleaved:
{"epoch": n, "seconds": s, "loss": l, "accuracy": a}; the last answer ends it.
"""

import gzip
import json
import os
import sys
import time

import torch
import torch.nn.functional as F
from torch import nn


def idx(folder, name, header):
    path = os.path.join(folder, name)
    opened = open(path, "rb") if os.path.exists(path) else gzip.open(path + ".gz", "rb")
    with opened as file:
        return torch.frombuffer(bytearray(file.read()[header:]), dtype=torch.uint8)


def part(folder, name):
    x = idx(folder, f"{name}-images-idx3-ubyte", 16).view(-1, 1, 28, 28).float() / 255
    return (x - 0.28) / 0.35, idx(folder, f"{name}-labels-idx1-ubyte", 8).long()


class GeneralRelu(nn.Module):
    def forward(self, x):
        return F.leaky_relu(x, 0.1) - 0.4


def conv(ni, nf, stride=2, act=True, kernel=3, norm=True):
    layers = [nn.Conv2d(ni, nf, kernel, stride, kernel // 2, bias=not norm)]
    if norm:
        layers.append(nn.BatchNorm2d(nf))
    if act:
        layers.append(GeneralRelu())
    return nn.Sequential(*layers)


class ResBlock(nn.Module):
    def __init__(self, ni, nf, stride):
        super().__init__()
        self.convs = nn.Sequential(conv(ni, nf, 1), conv(nf, nf, stride, act=False))
        self.idconv = nn.Identity() if ni == nf else conv(ni, nf, 1, act=False, kernel=1, norm=False)
        self.pool = nn.Identity() if stride == 1 else nn.AvgPool2d(2, ceil_mode=True)
        self.act = GeneralRelu()

    def forward(self, x):
        return self.act(self.convs(x) + self.idconv(self.pool(x)))


def plain():
    sizes = [1, 8, 16, 32, 64]
    return nn.Sequential(
        *[conv(a, b) for a, b in zip(sizes, sizes[1:])], conv(64, 10, act=False, norm=False), nn.Flatten()
    )


def resnet():
    sizes = [8, 16, 32, 64, 128, 256]
    blocks = [ResBlock(1, 8, 1)] + [ResBlock(a, b, 2) for a, b in zip(sizes, sizes[1:])]
    return nn.Sequential(*blocks, nn.Flatten(), nn.Linear(256, 10, bias=False), nn.BatchNorm1d(10))


RUNGS = {"onecycle": (plain, 6e-2), "resnet": (resnet, 2e-2)}


def main(folder, rung, seed, epochs=5, batch=1024):
    torch.manual_seed(int(seed))
    (x, y), (xv, yv) = part(folder, "train"), part(folder, "t10k")
    build, lr = RUNGS[rung]
    model = build().to(memory_format=torch.channels_last)
    for layer in model.modules():
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(layer.weight, a=0.1)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    steps = epochs * ((len(x) - 1) // batch + 1)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=lr, total_steps=steps)
    for epoch in range(epochs):
        if not sys.stdin.readline():
            return
        start = time.perf_counter()
        model.train()
        order = torch.randperm(len(x))
        for i in range(0, len(x), batch):
            chosen = order[i : i + batch]
            F.cross_entropy(model(x[chosen].contiguous(memory_format=torch.channels_last)), y[chosen]).backward()
            optimizer.step()
            schedule.step()
            optimizer.zero_grad(set_to_none=True)
        model.eval()
        loss = right = 0.0
        with torch.no_grad():
            for i in range(0, len(xv), 2 * batch):
                out = model(xv[i : i + 2 * batch])
                target = yv[i : i + 2 * batch]
                loss += F.cross_entropy(out, target, reduction="sum").item()
                right += (out.argmax(1) == target).sum().item()
        seconds = time.perf_counter() - start
        print(json.dumps({"epoch": epoch, "seconds": seconds, "loss": loss / len(xv), "accuracy": right / len(xv)}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
