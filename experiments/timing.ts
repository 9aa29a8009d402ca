/**
 * `npx tsx --conditions=@kindling/source experiments/timing.ts [resnet|onecycle] [SEED]`
 *
 * Times a rung of the ladder, 5 epochs, beside PyTorch: the same model, data and recipe, epoch by epoch in turns, so that
 * whatever else the machine does falls on both. `PYTHON` names the interpreter that has PyTorch, else `python3`.
 */
import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import process from "node:process";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { type Callback, manualSeed } from "kindling";
import { climber } from "./ladder.ts";
import { experiments, rungs } from "./programs/qLadder.ts";

interface Epoch {
  readonly seconds: number;
  readonly accuracy: number;
}

const names = { resnet: "13-resnet", onecycle: "12-onecycle" } as const;
const [which = "resnet", seed = "42"] = process.argv.slice(2);
if (which !== "resnet" && which !== "onecycle") throw new Error(`there are resnet and onecycle, got ${which}`);
const rung = rungs.find(({ id }) => id === names[which]);
if (rung === undefined) throw new Error(`the ladder has no rung ${names[which]}`);

const script = fileURLToPath(new URL("peers/ladder.py", import.meta.url));
const folder = process.env["FASHION_MNIST"] ?? "/usr/share/datasets/fashion-mnist";
const peer = spawn(process.env["PYTHON"] ?? "python3", [script, folder, which, seed], {
  stdio: ["pipe", "pipe", "inherit"],
});
const answers = createInterface({ input: peer.stdout })[Symbol.asyncIterator]();

/** Lets PyTorch train its next epoch. */
async function peerEpoch(): Promise<Epoch> {
  peer.stdin.write("\n");
  const { value, done } = await answers.next();
  if (done) throw new Error("PyTorch ended early; is it installed, and the data in place?");
  const { seconds, accuracy }: Epoch = JSON.parse(value);
  return { seconds, accuracy };
}

manualSeed(Number(seed));
const learn = await climber(rung);
const [ours, theirs]: [Epoch[], Epoch[]] = [[], []];
let start = 0;
const turns: Callback = {
  order: 1000,
  beforeEpoch: () => {
    start = performance.now();
  },
  afterEpoch: async ({ recorder, epoch }) => {
    const seconds = (performance.now() - start) / 1000;
    ours.push({ seconds, accuracy: recorder.records[epoch]?.valid?.["accuracy"] ?? Number.NaN });
    theirs.push(await peerEpoch());
    const [a, b] = [ours, theirs].map((list) => list[epoch]);
    console.log(
      `epoch ${epoch}  kindling ${a.seconds.toFixed(1)} s ${a.accuracy.toFixed(4)}  PyTorch ${b.seconds.toFixed(1)} s ${b.accuracy.toFixed(4)}`,
    );
  },
};
await learn.fit(rung.epochs, { callbacks: rung.schedule === undefined ? [turns] : [rung.schedule(rung.lr), turns] });
peer.stdin.end();

const total = (epochs: readonly Epoch[]): number => epochs.reduce((sum, { seconds }) => sum + seconds, 0);
const ratio = total(theirs) / total(ours);
console.log(
  `${rung.epochs} epochs: kindling ${total(ours).toFixed(1)} s, PyTorch ${total(theirs).toFixed(1)} s, ${ratio.toFixed(2)} times`,
);
const result = {
  title: experiments.find(({ id }) => id === `Q-${rung.id}`)?.title,
  machine: { cpu: cpus()[0]?.model, cores: cpus().length, threads: process.env["OMP_NUM_THREADS"] ?? "default" },
  seed: Number(seed),
  kindling: ours,
  pytorch: theirs,
  ratio,
};
mkdirSync(new URL("results/", import.meta.url), { recursive: true });
writeFileSync(new URL(`results/timing-${which}.json`, import.meta.url), `${JSON.stringify(result, null, 2)}\n`);
