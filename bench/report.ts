/** From outcomes to the lines of the table and of the JSON file. */
import type { Library } from "./contenders.ts";
import { median, type Outcome } from "./measure.ts";
import type { Item, Workload } from "./workloads.ts";

/** A line of the result, as the JSON file holds it. `ratio` says how many times better kindling is than PyTorch. */
export interface Row {
  readonly workload: string;
  readonly unit: string;
  readonly kindling: number | null;
  readonly peers: Readonly<Record<string, number>>;
  readonly ratio: number | null;
}

type Figure = (outcome: Outcome) => number | undefined;

/** The lines of one item: its time or rate, and its peak of memory where that is asked for. */
export function rowsOf(workload: Workload, item: Item, outcomes: readonly Outcome[]): Row[] {
  const isRate = item.unit === "GFLOP/s";
  const figure: Figure = (outcome) => {
    if (outcome.seconds.length === 0) return undefined;
    const seconds = median(outcome.seconds);
    if (isRate) return item.flops / seconds / 1e9;
    return item.unit === "ms" ? seconds * 1e3 : seconds;
  };
  const base = item.name === workload.name ? item.name : `${workload.name}: ${item.name}`;
  const rows = [row(base, item.unit, outcomes, figure, isRate)];
  if (workload.pytorch === "loaders") {
    // Two claims: against PyTorch as most people feed it, and as those do who know.
    const fedBy = (loader: string) => outcomes.filter((o) => o.library !== "pytorch" || o.setting.endsWith(loader));
    rows[0] = row(base, item.unit, fedBy("DataLoader"), figure, isRate);
    rows.push(row(`${base}-slices`, item.unit, fedBy("slices"), figure, isRate));
  }
  if (workload.memory) rows.push(row(`${base}-peak-memory`, "MB", outcomes, (o) => o.last.peakMB, false));
  return rows;
}

function row(name: string, unit: string, outcomes: readonly Outcome[], figure: Figure, more: boolean): Row {
  const best = new Map<Library, number>();
  for (const outcome of outcomes) {
    const value = outcome.failure === undefined ? figure(outcome) : undefined;
    if (value === undefined) continue;
    const old = best.get(outcome.library);
    if (old === undefined || (more ? value > old : value < old)) best.set(outcome.library, value);
  }
  const kindling = best.get("kindling") ?? null;
  const rival = best.get("pytorch") ?? best.get("bare loop") ?? null;
  best.delete("kindling");
  const ratio = kindling === null || rival === null ? null : more ? kindling / rival : rival / kindling;
  return { workload: name, unit, kindling, peers: Object.fromEntries(best), ratio };
}

/** What a row cannot say: who failed and why, who was extrapolated, accuracies, whether memory grew. */
export function notesOf(item: Item, outcomes: readonly Outcome[]): string[] {
  const notes: string[] = [];
  for (const { library, setting, failure, share, accuracies, last } of outcomes) {
    const who = `${item.name}, ${[library, setting].filter(Boolean).join(" ")}`;
    if (failure !== undefined) {
      notes.push(`${who}: ${failure}`);
      continue;
    }
    if (share < 1) notes.push(`${who}: time extrapolated from ${Math.round(share * 100)} % of the job`);
    if (accuracies.length > 0) notes.push(`${who}: accuracy ${accuracies.map((a) => a.toFixed(4)).join(", ")}`);
    if (last.settledMB !== undefined && last.endMB !== undefined) {
      const grown = last.endMB - last.settledMB;
      notes.push(
        `${who}: peak memory ${last.settledMB.toFixed(0)} MB when settled, ${grown.toFixed(1)} MB more at the end`,
      );
    }
  }
  return notes;
}

/** The rows as text, columns aligned. */
export function table(rows: readonly Row[]): string {
  const libraries = ["pytorch", "tfjs", "jax-js", "bare loop"].filter((name) => rows.some((r) => name in r.peers));
  const header = ["workload", "unit", "kindling", ...libraries, "ratio"];
  const lines = rows.map((r) => [
    r.workload,
    r.unit,
    show(r.kindling),
    ...libraries.map((name) => show(r.peers[name] ?? null)),
    r.ratio === null ? "–" : r.ratio.toFixed(2),
  ]);
  const widths = header.map((_, column) => Math.max(...[header, ...lines].map((line) => line[column].length)));
  const format = (line: readonly string[]) =>
    line.map((cell, column) => (column < 2 ? cell.padEnd(widths[column]) : cell.padStart(widths[column]))).join("  ");
  return [format(header), widths.map((width) => "─".repeat(width)).join("  "), ...lines.map(format)].join("\n");
}

function show(value: number | null): string {
  if (value === null) return "–";
  if (value >= 100) return value.toFixed(0);
  return value.toPrecision(3);
}
