"""
Records what PyTorch computes, for the conformance tests: values, dtypes and gradients of every tensor operation.

Run with a Python that has PyTorch (Debian: python3-torch): `python3 test/golden/make.py`. Writes one JSON file per family
beside itself. A case names an operation, its inputs (a base tensor and the views taken of it) and its arguments;
`test/conformance/operations.ts` says how kindling computes the same. References are computed in float64 from inputs that
float32 holds exactly, except cases marked float32, whose values only make sense in that precision (infinities, overflow).
Gradients are those of sum(out * weights), with the weights of `weights` below.
"""

import sys

import torch

sys.dont_write_bytecode = True

from along import axis_cases, products
from elementwise import elementwise_binary, elementwise_ternary, elementwise_unary
from movement import movement
from printing import printing
from products import indexing, matrix
from record import write
from reduce import reductions

if __name__ == "__main__":
    torch.manual_seed(0)
    elementwise_unary()
    elementwise_binary()
    elementwise_ternary()
    reductions()
    axis_cases()
    products()
    movement()
    matrix()
    indexing()
    printing()
    write()
