import type { View } from "../backend.ts";
import { bytesPerElement } from "../dtype.ts";
import { IndexError } from "../errors.ts";
import { input, Kernel } from "../expr.ts";
import type { FastKernels } from "../fast.ts";
import { matmul as jsMatmul } from "../js/matmul.ts";
import { contiguousStrides, sizeOf } from "../shape.ts";
import { MAX_RANK } from "./descriptor.ts";
import { nativeImageKernels } from "./imageKernels.ts";
import type { NativeBackend } from "./nativeBackend.ts";

const identity = new Kernel([input(0)], 1);

/** The hand-tuned kernels of the addon. */
export function nativeFastKernels(backend: NativeBackend): Partial<FastKernels> {
  return {
    ...nativeImageKernels(backend),

    matmul: (a, b, bias, relu, out) => matmul(backend, a, b, bias, relu, out),

    crossEntropy(logits, targets, ignoreIndex, losses, logSumExp) {
      const { addon, descriptor } = backend;
      descriptor.start(1, 4);
      descriptor.add(ignoreIndex);
      descriptor.addViews([logits, targets, losses, logSumExp]);
      if (addon.crossEntropy(logits, targets, losses, logSumExp) !== 0) refuseTarget(logits, targets, ignoreIndex);
    },

    crossEntropyBackward(logits, targets, logSumExp, ignoreIndex, scale, factor, out) {
      const { addon, descriptor } = backend;
      descriptor.start(2, 5);
      descriptor.add(ignoreIndex);
      descriptor.add(factor);
      descriptor.addViews([logits, targets, logSumExp, scale, out]);
      const failed = addon.crossEntropyBackward(logits, targets, logSumExp, scale, out) !== 0;
      if (failed) refuseTarget(logits, targets, ignoreIndex);
    },

    softmax(x, log, out) {
      const { addon, descriptor } = backend;
      descriptor.start(1, 2);
      descriptor.add(log ? 1 : 0);
      descriptor.addView(x);
      descriptor.addView(out);
      addon.softmax(x, out);
    },
  };
}

function matmul(backend: NativeBackend, a: View, b: View, bias: View | undefined, relu: boolean, out: View): void {
  const operands = bias === undefined ? [a, b, out] : [a, b, bias, out];
  if (out.shape.length > MAX_RANK || !operands.every(isFloat)) {
    jsMatmul(a, b, bias, relu, out);
    return;
  }
  if (!operands.every(({ dtype }) => dtype === "float32")) {
    matmulWidened(backend, a, b, bias, relu, out);
    return;
  }
  const { addon, descriptor } = backend;
  descriptor.start(2, 4);
  descriptor.add(bias === undefined ? 0 : 1);
  descriptor.add(relu ? 1 : 0);
  descriptor.addViews(operands);
  addon.matmul(a, b, bias, out);
}

/** Float32 and the 16-bit floats, which are widened to it. */
function isFloat({ dtype }: View): boolean {
  return dtype === "float32" || dtype === "float16" || dtype === "bfloat16";
}

function matmulWidened(
  backend: NativeBackend,
  a: View,
  b: View,
  bias: View | undefined,
  relu: boolean,
  out: View,
): void {
  const copies: View[] = [];
  const widen = (view: View, isRead: boolean): View => {
    if (view.dtype === "float32") return view;
    const storage = backend.allocate(sizeOf(view.shape) * bytesPerElement("float32"));
    const wide: View = { ...view, storage, offset: 0, strides: contiguousStrides(view.shape), dtype: "float32" };
    copies.push(wide);
    if (isRead) backend.map(identity, [view], [wide], []);
    return wide;
  };
  const wideOut = widen(out, false);
  matmul(backend, widen(a, true), widen(b, true), bias && widen(bias, true), relu, wideOut);
  if (wideOut !== out) backend.map(identity, [wideOut], [out], []);
  for (const { storage } of copies) backend.release(storage);
}

function refuseTarget(logits: View, targets: View, ignoreIndex: number): never {
  const values = targets.storage.elements("int32");
  const classes = logits.shape[1];
  for (let i = 0; i < targets.shape[0]; i++) {
    const target = values[targets.offset + i * targets.strides[0]];
    if (target !== ignoreIndex && (target < 0 || target >= classes)) {
      const range = classes === 0 ? "there are none" : `0 to ${classes - 1}`;
      throw new IndexError(
        "crossEntropy",
        `target ${target} at row ${i} is out of range for ${classes} classes (${range}).`,
      );
    }
  }
  throw new IndexError("crossEntropy", "a target is out of range.");
}
