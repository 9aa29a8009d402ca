import { bytesPerElement, isFloatingPoint } from "../backend/dtype.ts";
import { DeviceError } from "../backend/errors.ts";
import { contiguousStrides, sizeOf } from "../backend/shape.ts";
import { isGradEnabled } from "./autograd/mode.ts";
import { OpNode, ViewNode } from "./autograd/node.ts";
import type { Op, OutputSpec, ViewOp } from "./ops/op.ts";
import type { Tensor } from "./tensor.ts";

/** The single road of every operation: shape check, memory, kernel, tape. Gives the first output. */
export function apply<Options>(op: Op<Options>, inputs: readonly Tensor[], options: Options): Tensor {
  return applyAll(op, inputs, options)[0];
}

/** As {@link apply}, for operations with several outputs. */
export function applyAll<Options>(op: Op<Options>, inputs: readonly Tensor[], options: Options): readonly Tensor[] {
  const first = inputs[0];
  const { backend } = first.storage;
  let isRecorded = false;
  for (const x of inputs) {
    if (x.requiresGrad) isRecorded = true;
    if (x.storage.backend !== backend) {
      throw new DeviceError(
        op.name,
        `tensors lie on different devices: "${first.device}" and "${x.device}". Move one with .to(device).`,
      );
    }
  }
  const specs = op.infer(inputs, options);
  const outputs = new Array<Tensor>(specs.length);
  for (let i = 0; i < specs.length; i++) outputs[i] = allocateOutput(first, specs[i]);
  op.forward(backend, inputs, outputs, options);
  if (isRecorded && op.backward !== undefined && isGradEnabled()) {
    const node = new OpNode(op, options, inputs, outputs);
    for (let i = 0; i < outputs.length; i++) if (isFloatingPoint(outputs[i].dtype)) outputs[i]._record(node, i);
  }
  return op.visible === undefined ? outputs : outputs.slice(0, op.visible);
}

/** The road of operations that only look at memory in another way. */
export function applyView<Options>(op: ViewOp<Options>, input: Tensor, options: Options): Tensor {
  const { shape, strides, offset } = op.view(input, options);
  const result = input._wrap(input.storage, shape, strides, offset, input.dtype);
  if (input.requiresGrad && isGradEnabled()) result._record(new ViewNode(op, options, input), 0);
  return result;
}

function allocateOutput(like: Tensor, { shape, dtype, strides }: OutputSpec): Tensor {
  const storage = like.storage.backend.allocate(sizeOf(shape) * bytesPerElement(dtype));
  return like._wrap(storage, shape, strides ?? contiguousStrides(shape), 0, dtype);
}
