/** A contender's process: asked one thing at a time over its input, asleep in between. */
import { type ChildProcess, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { Readable, Writable } from "node:stream";
import type { Contender } from "./contenders.ts";
import type { Work } from "./workloads.ts";

/** What a contender may be asked. */
export type Request =
  | { readonly prepare: Work; readonly options: Contender["options"] }
  | { readonly run: number; readonly limit: number; readonly seed: number };

/** What it may answer. */
export interface Answer {
  readonly hello?: string;
  readonly threads?: number;
  readonly parameters?: number;
  readonly unsupported?: string;
  readonly error?: string;
  readonly seconds?: number;
  readonly steps?: number; // how many were done, when not as many as asked
  readonly share?: number; // how much of a job was done within the limit
  readonly loss?: number | null;
  readonly accuracy?: number;
  readonly settledMB?: number;
  readonly endMB?: number;
  readonly peakMB?: number;
}

const longestAnswer = 15 * 60 * 1000;

export class Child {
  readonly contender: Contender;
  private readonly _process: ChildProcess;
  private readonly _input: Writable;
  private readonly _answers: AsyncIterator<string>;
  private _errors = "";

  constructor(contender: Contender) {
    this.contender = contender;
    // Answers come on a channel of their own: libraries write to the usual two as they like.
    this._process = spawn(contender.command, [...contender.args], {
      env: contender.env,
      stdio: ["pipe", "ignore", "pipe", "pipe"],
    });
    const [input, , errors, answers] = this._process.stdio;
    this._input = expectStream(input, "write");
    this._input.on("error", () => undefined); // a process that died is noticed by the answer that does not come
    expectStream(errors, "read").on("data", (text: Buffer) => {
      this._errors = (this._errors + text.toString()).slice(-4000);
    });
    this._answers = createInterface({ input: expectStream(answers, "read") })[Symbol.asyncIterator]();
    this._process.on("error", (error) => {
      this._errors += error.message;
    });
  }

  /** The greeting every contender begins with. */
  hello(): Promise<Answer> {
    return this._next();
  }

  /** Sends a request and waits for the answer; a contender that dies or takes too long answers with an error. */
  ask(request: Request): Promise<Answer> {
    this._input.write(`${JSON.stringify(request)}\n`);
    return this._next();
  }

  stop(): void {
    this._input.end();
    this._process.kill();
  }

  private async _next(): Promise<Answer> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<undefined>((resolve) => {
      timer = setTimeout(() => resolve(undefined), longestAnswer);
    });
    const line = await Promise.race([this._answers.next(), late]);
    clearTimeout(timer);
    if (line === undefined) {
      this.stop();
      return { error: `no answer in ${longestAnswer / 60_000} minutes` };
    }
    if (line.done) return { error: `ended early: ${lastLine(this._errors)}` };
    const answer: Answer = JSON.parse(line.value);
    return answer;
  }
}

function lastLine(text: string): string {
  return text.trim().split("\n").at(-1) ?? "";
}

function expectStream(stream: Readable | Writable | null | undefined, use: "read"): Readable;
function expectStream(stream: Readable | Writable | null | undefined, use: "write"): Writable;
function expectStream(stream: Readable | Writable | null | undefined, use: "read" | "write"): Readable | Writable {
  const method = use === "read" ? "read" : "write";
  if (!stream || !(method in stream)) throw new Error("the contender's process has no pipes");
  return stream;
}
