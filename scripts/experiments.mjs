/** Sets up and runs the experiments; arguments go on to experiments/run.ts. */
import { join } from "node:path";
import { run } from "./setup/process.mjs";
import { setUp } from "./setup.mjs";

try {
  setUp({ quiet: true });
  const options = ["--import", "tsx", "--conditions=@kindling/source"];
  process.exitCode = run(process.execPath, [...options, join("experiments", "run.ts"), ...process.argv.slice(2)]);
} catch (error) {
  console.error(`experiments: ${error.message}`);
  process.exitCode = 1;
}
