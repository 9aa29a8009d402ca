"""Matrix products, indexing and cross-entropy."""

import math

import torch
import torch.nn.functional as F

from record import case, family, inp


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
