import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { root } from "./process.mjs";

/** One hash for the names and contents of files and folders (given from the root); `skip` refuses paths. */
export function hashFiles(paths, skip = () => false) {
  const hash = createHash("sha256");
  const visit = (path) => {
    const full = join(root, path);
    if (skip(path) || !existsSync(full)) return;
    if (statSync(full).isDirectory()) {
      for (const name of readdirSync(full).sort()) visit(`${path}/${name}`);
      return;
    }
    const bytes = readFileSync(full);
    hash.update(`${path} ${bytes.length}\n`).update(bytes);
  };
  for (const path of paths) visit(path);
  return hash.digest("hex");
}
