import { spawnSync } from "node:child_process";
import { Writable } from "node:stream";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";
import { ArgumentError } from "../../backend/errors.ts";
import { startProgress } from "./progress.ts";

class Screen extends Writable {
  readonly isTTY = true;
  readonly columns = 100;
  text = "";
  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.text += chunk.toString();
    done();
  }
}

test("draws label, count and values, at most some times a second", async () => {
  const screen = new Screen();
  const bar = await startProgress({ total: 1_000_000, label: "epoch 1", stream: screen, keep: true });
  expect(bar.isShown).toBe(true);
  for (let i = 1; i <= 1_000_000; i++) bar.update(i, { loss: 1 / i });
  bar.stop();
  bar.stop();
  expect(screen.text).toContain("epoch 1");
  expect(screen.text).toContain("1000000/1000000");
  expect(screen.text).toContain("loss 0.000001000");
  expect(screen.text.match(/epoch 1/g)?.length).toBeLessThan(50);
});

test("draws when steps are slow and nothing else runs", async () => {
  const screen = new Screen();
  const bar = await startProgress({ total: 3, stream: screen });
  for (let i = 1; i <= 2; i++) {
    const end = performance.now() + 220;
    while (performance.now() < end);
    bar.update(i);
  }
  expect(screen.text).toContain("1/3");
  expect(screen.text).toContain("2/3");
  bar.stop();
});

test("an update costs less than a microsecond", async () => {
  const bar = await startProgress({ total: 1e6, stream: new Screen() });
  const times: number[] = [];
  for (let run = 0; run < 5; run++) {
    const start = performance.now();
    for (let i = 0; i < 200_000; i++) bar.update(i, { loss: i });
    times.push((performance.now() - start) / 200_000);
  }
  bar.stop();
  expect(Math.min(...times)).toBeLessThan(0.001);
});

test("is silent on a stream that is no terminal", async () => {
  const written: string[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      written.push(String(chunk));
      done();
    },
  });
  const bar = await startProgress({ total: 2, stream });
  bar.update(1, { loss: 1 });
  bar.stop();
  expect(bar.isShown).toBe(false);
  expect(written).toEqual([]);
});

test("refuses a total that makes no sense", async () => {
  await expect(startProgress({ total: -1 })).rejects.toThrow(ArgumentError);
  await expect(startProgress({ total: Number.NaN })).rejects.toThrow(ArgumentError);
});

test("a bar that is never stopped lets the process end", () => {
  const source = JSON.stringify(new URL("./progress.ts", import.meta.url).href);
  const script = `
    process.stderr.isTTY = true;
    const { startProgress } = await import(${source});
    const bar = await startProgress({ total: 9 });
    bar.update(1);
    console.log("shown", bar.isShown);`;
  const root = fileURLToPath(new URL("../../../", import.meta.url));
  const options = { cwd: root, encoding: "utf8", timeout: 20_000 } as const;
  const flags = ["--conditions=@kindling/source", "--import", "tsx", "--input-type=module", "--eval", script];
  const { status, stdout } = spawnSync(process.execPath, flags, options);
  expect(stdout).toContain("shown true");
  expect(status).toBe(0);
});
