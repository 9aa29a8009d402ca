/**
 * Two networks against each other: a generator learns to draw points on a ring, a critic to tell them from true ones.
 * The Learner trains the generator; a callback trains the critic with an optimizer of its own before each of its steps.
 * A picture goes to runs/. `--short` (or KINDLING_SHORT=1) trains less.
 */
import assert from "node:assert/strict";
import { argv, env } from "node:process";
import {
  type Callback,
  cat,
  F,
  Learner,
  manualSeed,
  nn,
  noGrad,
  ones,
  optim,
  rand,
  randn,
  stack,
  type Tensor,
  zeros,
} from "kindling";
import { DataLoaders, TensorDataset } from "kindling/data";
import { Figure } from "kindling/viz";

const short = env["KINDLING_SHORT"] === "1" || argv.includes("--short");
manualSeed(7);
const [noise, hidden, batchSize] = [8, 64, 128];

/** Points around the unit circle. */
function ring(n: number): Tensor {
  const angle = rand([n]).mul(2 * Math.PI);
  return stack([angle.cos(), angle.sin()], 1).add(randn([n, 2]).mul(0.05));
}

const adam = (params: optim.Params, { lr }: { lr: number }) => optim.adam(params, { lr, momentum: 0.5 });
const mlp = (input: number, output: number) =>
  new nn.Sequential(
    new nn.Linear(input, hidden),
    new nn.LeakyReLU(0.2),
    new nn.Linear(hidden, hidden),
    new nn.LeakyReLU(0.2),
    new nn.Linear(hidden, output),
  );

/** The critic's half of the game. */
class CriticStep implements Callback {
  readonly critic = mlp(2, 1);
  readonly optimizer = adam(this.critic.parameters(), { lr: 1e-3 });
  readonly losses: number[] = [];

  /** Real points come in; the critic learns from them, then noise takes their place for the generator. */
  beforeBatch(learn: Learner): void {
    const real = learn.xb;
    const z = randn([real.shape[0], noise]);
    if (learn.training) {
      const drawn = noGrad(() => learn.model.forward(z));
      const verdict = this.critic.forward(cat([real, drawn]));
      const truth = cat([ones([real.shape[0], 1]), zeros([real.shape[0], 1])]);
      const loss = F.binaryCrossEntropyWithLogits(verdict, truth);
      loss.backward();
      this.optimizer.step();
      this.optimizer.zeroGrad();
      this.losses.push(loss.item());
    }
    learn.xb = z;
  }

  /** The generator's gradients go through the critic and leave some there, which are not its own. */
  afterBackward(): void {
    this.optimizer.zeroGrad();
  }
}

const step = new CriticStep();
/** The generator wants its drawings taken for real. */
const fool = (drawn: Tensor): Tensor => {
  const verdict = step.critic.forward(drawn);
  return F.binaryCrossEntropyWithLogits(verdict, ones(verdict.shape));
};
/** How far points are from the ring, on average. */
const distance = (drawn: Tensor): number => drawn.norm(1).sub(1).abs().mean().item();
/** Share of twelve directions in which there are points near the ring. */
const coverage = (drawn: Tensor): number => {
  const seen = new Set<number>();
  for (const [x, y] of drawn.chunk(drawn.shape[0]).map((row) => [...row.toTypedArray()])) {
    if (Math.abs(Math.hypot(x, y) - 1) < 0.3) seen.add(Math.floor(((Math.atan2(y, x) / Math.PI + 1) / 2) * 11.999));
  }
  return seen.size / 12;
};

const points = ring(12_800);
const data = new TensorDataset(points, zeros([points.shape[0]]));
const dls = DataLoaders.fromDatasets(data, data.slice(0, 1024), { batchSize });
const learn = new Learner(dls, mlp(noise, 2), {
  loss: fool,
  optimizer: adam,
  lr: 1e-3,
  metrics: { distance, coverage },
  callbacks: [step],
  progress: true,
});

const before = await learn.validate();
await learn.fit(short ? 3 : 20);
const after = await learn.validate();
console.log(`distance from the ring ${before["distance"].toFixed(3)} → ${after["distance"].toFixed(3)}`);
console.log(`directions covered     ${before["coverage"].toFixed(2)} → ${after["coverage"].toFixed(2)}`);
assert.ok(after["distance"] < Math.min(before["distance"], short ? 0.5 : 0.15), "points are not near the ring");
assert.ok(after["coverage"] > before["coverage"], "the ring is not covered");

const drawn = noGrad(() => learn.model.forward(randn([500, noise])));
const values = ["true", "drawn"].flatMap((kind) => {
  const rows = (kind === "true" ? ring(500) : drawn).chunk(500).map((row) => [...row.toTypedArray()]);
  return rows.map(([x, y]) => ({ x, y, kind }));
});
const scale = { domain: [-1.6, 1.6] };
const picture = new Figure({
  data: { values },
  mark: "point",
  width: 360,
  height: 360,
  encoding: {
    x: { field: "x", type: "quantitative", scale },
    y: { field: "y", type: "quantitative", scale },
    color: { field: "kind", type: "nominal" },
  },
});
await picture.save("runs/07-gan.svg");
console.log("wrote runs/07-gan.svg");
