import { readFile, replaceFile, sha256 } from "#platform";
import { ArgumentError, DataError } from "../backend/errors.ts";
import { normalize } from "../data/transforms.ts";
import { isRecord, type Json, parseJson, stringifyJson } from "../io/json.ts";
import { parseSafetensors, serializeSafetensors } from "../io/safetensors.ts";
import type { Module } from "../nn/module.ts";
import { noGrad } from "../tensor/autograd/mode.ts";
import { tensor } from "../tensor/create.ts";
import { getRandomState, setRandomState } from "../tensor/random.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Learner } from "./learner.ts";

/** What is done to inputs before the model sees them: a name, which stands for code, and its settings. */
export interface NamedTransform {
  readonly name: string;
  readonly options?: Json;
}

/** Options of {@link Learner.export}. */
export interface ExportOptions {
  /** Names of the classes by their numbers. Default those of the data, where there are any. */
  readonly classes?: readonly string[];
  /** What inputs go through, in order. Default nothing. */
  readonly transforms?: readonly NamedTransform[];
}

/** Makes a transform of its settings. */
export type TransformMaker = (options: Json) => (x: Tensor) => Tensor;

/** Options of {@link loadLearner}. */
export interface LoadLearnerOptions {
  /** A model of the same architecture; its weights are replaced. */
  readonly model: Module<readonly [Tensor], Tensor>;
  /** Further transforms by name. */
  readonly transforms?: Readonly<Record<string, TransformMaker>>;
}

const names = { model: "model.safetensors", learner: "learner.json" } as const;

/** Transforms everybody has. */
const builtIn: Readonly<Record<string, TransformMaker>> = {
  /** Options: `{ mean, std }`, each a number or nested lists that broadcast. */
  normalize: (options) => {
    const { mean, std } = isRecord(options) ? options : {};
    const [center, scale] = [statistic("mean", mean), statistic("std", std)];
    return (x) => normalize(x, center.to(x.device), scale.to(x.device));
  },
  /** One vector per item. */
  flatten: () => (x) => x.reshape([x.shape[0], -1]),
};

/** A trained model with what it takes to use it. */
export class Predictor {
  readonly model: Module<readonly [Tensor], Tensor>;
  /** Names of the classes by their numbers, where there are classes. */
  readonly classes: readonly string[] | undefined;
  private readonly _transforms: readonly ((x: Tensor) => Tensor)[];

  constructor(
    model: Module<readonly [Tensor], Tensor>,
    classes: readonly string[] | undefined,
    transforms: readonly ((x: Tensor) => Tensor)[],
  ) {
    this.model = model.eval();
    this.classes = classes;
    this._transforms = transforms;
  }

  /** The model's predictions for a batch of raw inputs. */
  predict(x: Tensor): Tensor {
    const random = getRandomState();
    try {
      return noGrad(() => this.model.forward(this._transforms.reduce((input, transform) => transform(input), x)));
    } finally {
      setRandomState(random);
    }
  }

  /**
   * The most likely class of each item of a batch, by name, or by number where classes have no names.
   *
   * Shapes: predictions `[n, c]`.
   */
  classify(x: Tensor): string[] {
    const best = this.predict(x).argmax(-1).toTypedArray();
    return Array.from(best, (number) => this.classes?.[number] ?? String(number));
  }
}

/** See `Learner.export`. */
export async function exportLearner(learn: Learner, folder: string, options: ExportOptions = {}): Promise<void> {
  const model = serializeSafetensors(learn.model.stateDict(), { format: "pt" });
  const { classes = learn.dls.classes, transforms = [] } = options;
  const description = {
    format: 1,
    model: { class: learn.model.constructor.name, file: names.model, sha256: await sha256(model) },
    classes: classes === undefined ? null : [...classes],
    transforms: transforms.map(({ name, options: settings = null }) => ({ name, options: settings })),
  };
  try {
    await replaceFile(`${folder}/${names.model}`, model);
    await replaceFile(`${folder}/${names.learner}`, new TextEncoder().encode(`${stringifyJson(description)}\n`));
  } catch (cause) {
    const problem = cause instanceof Error ? cause.message : String(cause);
    throw new DataError("export", `could not write "${folder}": ${problem}.`, { cause });
  }
}

/**
 * Reads what {@link Learner.export} wrote. The files hold no code: the model's class is the caller's, and transforms are
 * looked up by name: `normalize`, `flatten`, and those given.
 *
 * @throws {@link DataError} when files are missing or damaged or the model is of another class; {@link ArgumentError} for
 * a transform nobody knows.
 * @example
 * const data = new TensorDataset(randn([8, 4]), randint(0, 2, [8]));
 * const dls = DataLoaders.fromDatasets(data, data, { batchSize: 4 });
 * const learn = new Learner(dls, new nn.Linear(4, 2), { loss: F.crossEntropy });
 * const transforms = [{ name: "normalize", options: { mean: 0.5, std: 1 } }];
 * await learn.export("runs/digits", { classes: ["zero", "one"], transforms });
 * const digits = await loadLearner("runs/digits", { model: new nn.Linear(4, 2) });
 * digits.classify(randn([3, 4])).length; // => 3
 */
export async function loadLearner(folder: string, { model, transforms = {} }: LoadLearnerOptions): Promise<Predictor> {
  const description = parsed(folder, await present(folder, names.learner));
  const bytes = await present(folder, names.model);
  const about = isRecord(description["model"]) ? description["model"] : {};
  if (about["sha256"] !== (await sha256(bytes))) {
    throw new DataError(
      "loadLearner",
      `"${folder}/${names.model}" is damaged, or belongs to another ${names.learner}.`,
    );
  }
  if (about["class"] !== model.constructor.name) {
    throw new DataError(
      "loadLearner",
      `"${folder}" holds a ${about["class"]}, the model given is a ${model.constructor.name}.`,
    );
  }
  const own = model.stateDict();
  const weights = parseSafetensors(bytes, { keepFloat64: true, device: "js" }).tensors;
  model.loadStateDict(new Map([...weights].map(([name, x]) => [name, x.to(own.get(name)?.device ?? "js")])));
  const makers = new Map([...Object.entries(builtIn), ...Object.entries(transforms)]);
  const list = Array.isArray(description["transforms"]) ? description["transforms"] : [];
  return new Predictor(
    model,
    Array.isArray(description["classes"]) ? description["classes"].map(String) : undefined,
    list.map((entry) => transformOf(entry, makers)),
  );
}

function transformOf(entry: Json, makers: ReadonlyMap<string, TransformMaker>): (x: Tensor) => Tensor {
  const { name, options = null } = isRecord(entry) ? entry : {};
  const maker = makers.get(String(name));
  if (maker === undefined) {
    throw new ArgumentError(
      "loadLearner",
      `unknown transform "${String(name)}". Known: ${[...makers.keys()].join(", ")}. Give others in { transforms }.`,
    );
  }
  return maker(options);
}

/** A number, or one per channel. */
function statistic(name: string, value: Json | undefined): Tensor {
  const isNumber = (part: Json): part is number => typeof part === "number";
  if (typeof value === "number") return tensor(value);
  if (!Array.isArray(value) || !value.flat(8).every(isNumber)) {
    throw new ArgumentError("normalize", `${name} must be a number or lists of numbers, got ${JSON.stringify(value)}.`);
  }
  return tensor(value);
}

function parsed(folder: string, bytes: Uint8Array): { readonly [key: string]: Json } {
  try {
    const description = parseJson(new TextDecoder("utf-8", { fatal: true }).decode(bytes));
    if (isRecord(description) && description["format"] === 1) return description;
  } catch (cause) {
    throw new DataError("loadLearner", `"${folder}/${names.learner}" is damaged: ${String(cause)}.`, { cause });
  }
  throw new DataError("loadLearner", `"${folder}/${names.learner}" is of an unknown format.`);
}

async function present(folder: string, name: string): Promise<Uint8Array> {
  const bytes = await readFile(`${folder}/${name}`);
  if (bytes === undefined) throw new DataError("loadLearner", `there is no file "${folder}/${name}".`);
  return bytes;
}
