/** Gets what is missing and runs the experiments; arguments go on to experiments/run.ts. */
import { join } from "node:path";
import { run } from "./setup/process.mjs";
import { prepare } from "./setup.mjs";

try {
  prepare({ quiet: true, data: true });
  const options = ["--import", "tsx", "--conditions=@kindling/source"];
  process.exitCode = run(process.execPath, [...options, join("experiments", "run.ts"), ...process.argv.slice(2)]);
} catch (error) {
  console.error(`experiments: ${error.message}`);
  process.exitCode = 1;
}
