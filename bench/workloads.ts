/** What is measured: one table, sent as it stands to every contender, so that all do the same work. */

/** A network, given by its name; every contender builds the same one and answers with its parameter count. */
export type ModelName = "mlp" | "cnn" | "xresnet18" | "resnet-miniai";

/** Full training steps on batches prepared in memory: forward, cross-entropy, backward, step, gradients cleared. */
export interface TrainWork {
  readonly kind: "train";
  readonly model: ModelName;
  readonly hidden: number; // of the mlp; 0 elsewhere
  readonly batch: number;
  readonly batches: number; // how many different ones there are; steps go round them
  readonly image: readonly [channels: number, height: number, width: number];
  readonly optimizer: "sgd" | "momentum" | "adam" | "adamW";
  readonly lr: number;
  readonly parameters: number; // what the model must have
}

/** The same, as one uninterrupted synchronous loop whose memory is watched. */
export interface LoopWork extends Omit<TrainWork, "kind"> {
  readonly kind: "loop";
  readonly steps: number;
  readonly settled: number; // after so many steps memory must not grow
}

/** The library's training loop with everything on (`full`), or the bare steps it wraps. */
export interface LearnerWork extends Omit<TrainWork, "kind"> {
  readonly kind: "learner";
}

/** The main job: real MNIST, from bytes in memory to the last epoch's validation accuracy. */
export interface MnistWork {
  readonly kind: "mnist";
  readonly hidden: number;
  readonly epochs: number;
  readonly batch: number;
  readonly validBatch: number;
  readonly train: number; // the first so many images train, the rest validate
  readonly lr: number;
  readonly files: string; // folder with the IDX files
}

/** `c = a · b`, square, float32. */
export interface GemmWork {
  readonly kind: "gemm";
  readonly size: number;
}

/** The sum of `gelu(x · a + b)` (exact, by erf) and its gradient with respect to x. */
export interface ElementwiseWork {
  readonly kind: "elementwise";
  readonly size: number;
  readonly a: number;
  readonly b: number;
}

/** One direction of one convolution without bias. */
export interface ConvWork {
  readonly kind: "conv";
  readonly direction: "forward" | "backward-data" | "backward-weights";
  readonly input: readonly [n: number, c: number, h: number, w: number];
  readonly filters: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly groups: number;
}

/** One normalisation in training mode, forward and backward, gradients of input, weight and bias. */
export interface NormWork {
  readonly kind: "norm";
  readonly norm: "batch" | "layer" | "group" | "instance";
  readonly shape: readonly number[];
  readonly groups: number; // of group normalisation; 0 elsewhere
}

/** One optimizer step on parameters whose gradients are there. */
export interface AdamWork {
  readonly kind: "adam";
  readonly shapes: readonly (readonly number[])[];
  readonly lr: number;
}

export type Work =
  | TrainWork
  | LoopWork
  | LearnerWork
  | MnistWork
  | GemmWork
  | ElementwiseWork
  | ConvWork
  | NormWork
  | AdamWork;

/** One line of the table. */
export interface Item {
  readonly name: string;
  readonly unit: "ms" | "s" | "GFLOP/s";
  readonly work: Work;
  readonly flops: number; // of one step; 0 where the unit is a time
}

/** Items that share their processes. */
export interface Workload {
  readonly name: string;
  readonly items: readonly Item[];
  /** What varies between the PyTorch contenders besides the number of threads. */
  readonly pytorch: "threads" | "memory formats" | "loaders";
  /** Who takes part besides PyTorch and kindling. */
  readonly javascript: boolean;
  /** Whether the peak of resident memory is a line of its own. */
  readonly memory: boolean;
  /** A job is run whole, a few times; anything else is repeated for a slice of time. */
  readonly job: boolean;
}

const digits = [1, 28, 28] as const;

export const workloads: readonly Workload[] = [
  mlp("mlp-64", 50, 64),
  mlp("mlp-1024", 50, 1024),
  mlp("mlp-64-512", 512, 64),
  mlp("mlp-512-512", 512, 512),
  {
    ...plain("mnist-5-epochs", "s", {
      kind: "mnist",
      hidden: 50,
      epochs: 5,
      batch: 64,
      validBatch: 128,
      train: 50_000,
      lr: 0.5,
      files: "", // filled in by the one who runs it: a path of this machine
    }),
    pytorch: "loaders",
    javascript: true,
    job: true,
  },
  ...[256, 1024, 2048].map((size) => ({
    ...plain(`gemm-${size}`, "GFLOP/s", { kind: "gemm", size }, 2 * size ** 3),
    javascript: true,
  })),
  { ...plain("elementwise-10M", "ms", { kind: "elementwise", size: 10_000_000, a: 1.5, b: 0.5 }), javascript: true },
  {
    ...plain("steps-10k", "s", { ...mlpWork(50, 64), kind: "loop", steps: 10_000, settled: 1_000 }),
    javascript: true,
    memory: true,
    job: true,
  },
  learner("learner-overhead", 50, 64),
  learner("learner-overhead-10ms", 1024, 512),
  images("cnn-64", cnn(64, 64)),
  images("cnn-512", cnn(512, 16)),
  { ...images("xresnet18-64px", xresnet(64)), javascript: false },
  { ...images("xresnet18-128px", xresnet(128)), javascript: false, memory: true },
  {
    ...images("resnet-miniai", {
      model: "resnet-miniai",
      batch: 512,
      batches: 8,
      image: digits,
      optimizer: "adamW",
      lr: 1e-2,
      parameters: 1_228_908,
    }),
    javascript: false,
  },
  { ...group("conv-layers", convItems()), pytorch: "memory formats" },
  { ...plain("adam-10M", "ms", { kind: "adam", shapes: adamShapes(), lr: 1e-3 }), javascript: true },
  { ...group("norm-layers", normItems()), pytorch: "memory formats" },
];

function group(name: string, items: readonly Item[]): Workload {
  return { name, items, pytorch: "threads", javascript: false, memory: false, job: false };
}

function plain(name: string, unit: Item["unit"], work: Work, flops = 0): Workload {
  return group(name, [{ name, unit, work, flops }]);
}

function mlpWork(hidden: number, batch: number): TrainWork {
  return {
    kind: "train",
    model: "mlp",
    hidden,
    batch,
    batches: batch > 64 ? 16 : 64,
    image: digits,
    optimizer: "sgd",
    lr: 0.1,
    parameters: 784 * hidden + hidden + hidden * 10 + 10,
  };
}

function mlp(name: string, hidden: number, batch: number): Workload {
  return { ...plain(name, "ms", mlpWork(hidden, batch)), javascript: true };
}

function learner(name: string, hidden: number, batch: number): Workload {
  return plain(name, "ms", { ...mlpWork(hidden, batch), kind: "learner" });
}

function images(name: string, work: Omit<TrainWork, "kind" | "hidden">): Workload {
  return {
    ...plain(name, "ms", { ...work, kind: "train", hidden: 0 }),
    pytorch: "memory formats",
    javascript: true,
  };
}

function cnn(batch: number, batches: number): Omit<TrainWork, "kind" | "hidden"> {
  return { model: "cnn", batch, batches, image: digits, optimizer: "adam", lr: 1e-3, parameters: 15_682 };
}

function xresnet(pixels: number): Omit<TrainWork, "kind" | "hidden"> {
  return {
    model: "xresnet18",
    batch: 16,
    batches: 4,
    image: [3, pixels, pixels],
    optimizer: "momentum",
    lr: 1e-2,
    parameters: 11_228_586,
  };
}

/** Filters, kernel and stride of the layers that image networks are made of, on inputs of their usual sizes. */
function convItems(): Item[] {
  const layers: [input: ConvWork["input"], filters: number, kernel: number, stride: number, groups: number][] = [
    [[64, 1, 28, 28], 8, 5, 2, 1],
    [[512, 8, 14, 14], 16, 3, 2, 1],
    [[512, 32, 7, 7], 32, 3, 1, 1],
    [[16, 3, 128, 128], 32, 3, 2, 1],
    [[16, 32, 64, 64], 64, 3, 1, 1],
    [[16, 64, 32, 32], 64, 3, 1, 1],
    [[16, 64, 32, 32], 128, 3, 2, 1],
    [[16, 128, 16, 16], 128, 3, 1, 1],
    [[16, 256, 8, 8], 256, 3, 1, 1],
    [[16, 512, 4, 4], 512, 3, 1, 1],
    [[16, 64, 32, 32], 256, 1, 1, 1],
    [[16, 256, 32, 32], 64, 1, 1, 1],
    [[16, 3, 224, 224], 64, 7, 2, 1],
    [[16, 64, 32, 32], 64, 3, 1, 64],
  ];
  return layers.flatMap(([input, filters, kernel, stride, groups]) => {
    const padding = Math.floor(kernel / 2);
    const [n, c, h, w] = input;
    const positions = outSize(h, kernel, stride, padding) * outSize(w, kernel, stride, padding);
    const flops = (2 * n * filters * positions * kernel * kernel * c) / groups;
    const shape = `${kernel}x${kernel} ${c}-${filters}${stride > 1 ? `/${stride}` : ""} ${h}px n${n}`;
    return (["forward", "backward-data", "backward-weights"] as const).map((direction) => ({
      name: `${shape}${groups > 1 ? " depthwise" : ""} ${direction}`,
      unit: "GFLOP/s" as const,
      work: { kind: "conv" as const, direction, input, filters, kernel, stride, padding, groups },
      flops,
    }));
  });
}

function outSize(size: number, kernel: number, stride: number, padding: number): number {
  return Math.floor((size + 2 * padding - kernel) / stride) + 1;
}

function normItems(): Item[] {
  const layers: [norm: NormWork["norm"], shape: readonly number[], groups: number][] = [
    ["batch", [64, 8, 14, 14], 0],
    ["batch", [512, 16, 14, 14], 0],
    ["batch", [16, 64, 64, 64], 0],
    ["batch", [16, 256, 16, 16], 0],
    ["batch", [512, 10], 0],
    ["layer", [64, 512], 0],
    ["layer", [32, 128, 768], 0],
    ["group", [16, 64, 32, 32], 8],
    ["instance", [16, 64, 32, 32], 0],
  ];
  return layers.map(([norm, shape, groups]) => ({
    name: `${norm}Norm ${shape.join("x")}`,
    unit: "ms",
    work: { kind: "norm", norm, shape, groups },
    flops: 0,
  }));
}

/** Weights and biases of ten layers: 10,010,288 numbers in 20 tensors, from 16 to 2.1 million each. */
function adamShapes(): number[][] {
  const widths = [1024, 2048, 1024, 1024, 768, 1536, 512, 1024, 1024, 416, 16];
  return widths.slice(1).flatMap((width, i) => [[width, widths[i]], [width]]);
}
