/** Kindling's side of the protocol (see peers/pytorch.py): a JSON line in, one out on channel 3, asleep in between. */
import { writeSync } from "node:fs";
import { createInterface } from "node:readline";
import type { Answer, Request } from "./child.ts";
import { type Prepared, peakMegabytes } from "./kindling/prepared.ts";
import type { Work } from "./workloads.ts";

/** Each kind's code is loaded when asked for: the rest of a process is Node and the library. */
async function prepare(work: Work, options: { readonly learner?: "full" | "bare" }): Promise<Prepared> {
  switch (work.kind) {
    case "train":
    case "loop":
      if (work.model === "mlp") return (await import("./kindling/training.ts")).prepareMlp(work);
      return (await import("./kindling/vision.ts")).prepareVision(work);
    case "learner":
      return (await import("./kindling/learner.ts")).prepareLearner(work, options.learner ?? "full");
    case "mnist":
      return (await import("./kindling/mnist.ts")).prepareMnist(work);
    case "conv":
      return (await import("./kindling/layers.ts")).prepareConv(work);
    case "norm":
      return (await import("./kindling/layers.ts")).prepareNorm(work);
    case "gemm":
      return (await import("./kindling/kernels.ts")).prepareGemm(work);
    case "elementwise":
      return (await import("./kindling/kernels.ts")).prepareElementwise(work);
    case "adam":
      return (await import("./kindling/kernels.ts")).prepareAdam(work);
  }
}

let current: Prepared | undefined;

async function answer(request: Request): Promise<Answer> {
  if ("prepare" in request) {
    current = undefined;
    current = await prepare(request.prepare, request.options);
    return { parameters: current.parameters };
  }
  if (current === undefined) throw new Error("asked to run before there was work");
  return { ...(await current.run(request.run, request.seed)), peakMB: peakMegabytes() };
}

function say(line: Answer): void {
  writeSync(3, `${JSON.stringify(line)}\n`);
}

say({ hello: "kindling" });
for await (const line of createInterface({ input: process.stdin })) {
  try {
    const request: Request = JSON.parse(line);
    say(await answer(request));
  } catch (error) {
    say({ error: error instanceof Error ? `${error.name}: ${error.message}`.slice(0, 400) : String(error) });
  }
}
