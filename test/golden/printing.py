"""What tensors print."""

import math

import torch

import record


def printing():
    record.family("printing")
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
        record.current.append({"shape": shape, "dtype": "float32", "data": record.plain(data), "text": text})
    for shape, data in (([3], [1, -20, 300]), ([], [7]), ([2, 2], [1, 2, 3, 4]), ([1100], list(range(1100))), ([0], [])):
        text = str(torch.tensor(data, dtype=torch.int64).reshape(shape)).replace(", dtype=torch.int64", "")
        record.current.append({"shape": shape, "dtype": "int32", "data": data, "text": text})
    for shape, data in (([3], [1, 0, 1]), ([2, 2], [1, 1, 1, 1]), ([], [0])):
        text = str(torch.tensor(data, dtype=torch.bool).reshape(shape)).replace("True", "true").replace("False", "false")
        record.current.append({"shape": shape, "dtype": "bool", "data": data, "text": text})
