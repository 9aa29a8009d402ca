import process from "node:process";
import { makeLearner, trainOn } from "./resumable.ts";

// Trains on from the newest checkpoint and tells how far it is, until it is killed.
const learn = makeLearner();
await trainOn(learn, process.argv[2], {
  checkpoint: { everySteps: 1, keep: 2 },
  callbacks: [
    {
      name: "pace",
      watches: true,
      afterBatch: () => void process.stdout.write("."),
    },
  ],
});
process.stdout.write("done");
