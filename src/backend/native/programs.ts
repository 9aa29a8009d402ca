import { arity, type Instruction, type Kernel, type ScalarOp } from "../expr.ts";
import type { NativeAddon } from "./addon.ts";
import type { Descriptor } from "./descriptor.ts";

const kinds = { input: 0, scalar: 1, constant: 2, call: 3 } as const;
const codes = new Map<string, number>(Object.keys(arity).map((name, code) => [name, code]));

/** The addon's programs by kernel; each kernel is compiled once. */
export class Programs {
  private readonly _addon: NativeAddon;
  private readonly _descriptor: Descriptor;
  private readonly _ids = new WeakMap<Kernel, number>();

  constructor(addon: NativeAddon, descriptor: Descriptor) {
    this._addon = addon;
    this._descriptor = descriptor;
  }

  /** The number of a kernel's program. Starts a descriptor of its own, so ask before writing another. */
  idOf(kernel: Kernel): number {
    let id = this._ids.get(kernel);
    if (id === undefined) {
      id = this._compile(kernel);
      this._ids.set(kernel, id);
    }
    return id;
  }

  private _compile(kernel: Kernel): number {
    const { code, results } = kernel;
    this._descriptor.start(4 + 5 * code.length + results.length, 0);
    this._descriptor.addSizes([kernel.inputCount, kernel.scalarCount, results.length, code.length]);
    for (const instruction of code) this._descriptor.addNumbers(encode(instruction));
    this._descriptor.addSizes(results);
    return this._addon.compile();
  }
}

function encode(instruction: Instruction): readonly number[] {
  const kind = kinds[instruction.kind];
  switch (instruction.kind) {
    case "constant":
      return [kind, instruction.value];
    case "call":
      return [kind, codeOf(instruction.op), ...instruction.args];
    default:
      return [kind, instruction.index];
  }
}

function codeOf(op: ScalarOp): number {
  const code = codes.get(op);
  if (code === undefined) throw new TypeError(`unknown scalar operation ${op}`);
  return code;
}
