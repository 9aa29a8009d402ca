import type { Kernel } from "../expr.ts";
import { compileNest } from "./compile.ts";
import { markOf } from "./element.ts";
import { interpretNest } from "./interpret.ts";
import type { Nest, NestSpec } from "./nest.ts";

/** Nests by kernel and specialisation. */
export class NestCache {
  private readonly _compile: boolean;
  private readonly _nests = new WeakMap<Kernel, Map<string, Nest>>();

  /** @param compile - Whether to compile to JavaScript source; a page's security policy may forbid it. */
  constructor(compile: boolean) {
    this._compile = compile;
  }

  get(spec: NestSpec): Nest {
    let nests = this._nests.get(spec.kernel);
    if (nests === undefined) {
      nests = new Map();
      this._nests.set(spec.kernel, nests);
    }
    const key = keyOf(spec);
    let nest = nests.get(key);
    if (nest === undefined) {
      nest = this._compile ? compileNest(spec) : interpretNest(spec);
      nests.set(key, nest);
    }
    return nest;
  }
}

function keyOf({ dtypes, innerStrides, reduce }: NestSpec): string {
  let key = reduce === undefined ? "" : `${reduce.kind}${reduce.kept}${reduce.asBool}`;
  for (let v = 0; v < dtypes.length; v++) {
    const stride = innerStrides[v];
    key += `${markOf(dtypes[v])}${stride === 0 ? "z" : stride === 1 ? "u" : "s"}`;
  }
  return key;
}
