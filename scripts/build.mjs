/** Compiles src/ to dist/, for publishing and for the package test. */
import { compile } from "./setup/compile.mjs";

try {
  compile(() => {});
} catch (error) {
  console.error(error.message);
  process.exitCode = 1;
}
