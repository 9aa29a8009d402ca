import { expect, test } from "vitest";
import { ArgumentError } from "../../backend/errors.ts";
import { formatNumber, Table } from "./table.ts";

test("prints the header once and aligned rows as they come", () => {
  const lines: string[] = [];
  const columns = [
    { name: "epoch", kind: "integer" },
    { name: "pass", kind: "text" },
    "loss",
    "accuracy",
    { name: "time", kind: "seconds" },
  ] as const;
  const table = new Table(columns, { write: (line) => lines.push(line) });
  expect(lines).toEqual([]);
  table.row({ epoch: 0, pass: "train", loss: 2.34567, accuracy: 0.1, time: 3.21 });
  table.row({ epoch: 0, pass: "valid", loss: 0.0000123, time: 1234.5 });
  table.row({ epoch: 10, pass: "train", loss: Number.NaN, accuracy: 1 });
  expect(lines).toEqual([
    "epoch  pass       loss  accuracy      time",
    "    0  train    2.3457    0.1000     3.2 s",
    "    0  valid   1.23e-5              1235 s",
    "   10  train       nan    1.0000",
  ]);
});

test("refuses unknown and repeated columns", () => {
  const table = new Table(["loss"], { write: () => undefined });
  expect(() => table.row({ los: 1 })).toThrow(/there is no column "los". Columns: loss/);
  expect(() => new Table(["a", "a"])).toThrow(ArgumentError);
  expect(() => new Table([])).toThrow(ArgumentError);
});

test.each([
  [0, "0.0000"],
  [0.1234499, "0.1234"],
  [-0.5, "-0.5000"],
  [12.34567, "12.346"],
  [99_999, "99999"],
  [123_456, "1.23e+5"],
  [-0.000123, "-1.23e-4"],
  [Number.POSITIVE_INFINITY, "inf"],
  [Number.NEGATIVE_INFINITY, "-inf"],
])("formatNumber(%d) is %s", (value, text) => {
  expect(formatNumber(value)).toBe(text);
});
