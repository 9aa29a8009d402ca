/** Sets up, then trains the seed network on MNIST; arguments go on to examples/mnist.ts. */
import { run } from "./setup/process.mjs";
import { setUp } from "./setup.mjs";

try {
  setUp();
  process.exitCode = run(process.execPath, ["--import", "tsx", "examples/mnist.ts", ...process.argv.slice(2)]);
} catch (error) {
  console.error(`setup: ${error.message}`);
  process.exitCode = 1;
}
