import { describe, expect, it } from "vitest";
import { columnNames, parseMetrics } from "../../../../server/stream/reader/parse.ts";
import { randomNumbers } from "../../../fixtures/run.ts";

type Row = Partial<Record<(typeof columnNames)[number], number>>;

function rowsOf(text: string): { rows: Row[]; end: number } {
  const rows: Row[] = [];
  const end = parseMetrics(Buffer.from(text), (values) => {
    const recorded = columnNames.flatMap((name, index): [string, number][] =>
      Number.isNaN(values[index]) ? [] : [[name, values[index]!]],
    );
    rows.push(Object.fromEntries(recorded));
  });
  return { rows, end };
}

describe("lines of metrics", () => {
  it("give the numbers that JSON.parse gives, to the last bit", () => {
    const random = randomNumbers(1);
    const lines = Array.from({ length: 2000 }, (_, index) => ({
      step: index + 1,
      steps: 2000,
      tokens: (index + 1) * 16_384,
      seconds: random() * 10 ** (random() * 6 - 3),
      loss: Math.fround(random() * 10),
      loadBalance: random() * 10 ** (random() * 60 - 30),
      gradientNorm: -random(),
      learningRate: Number((random() * 1e-3).toPrecision(1 + Math.floor(random() * 17))),
      tokensPerSecond: Math.round(random() * 1e6) / 100,
      flops: Math.round(random() * 2 ** 60),
      memory: Math.round(random() * 2 ** 33),
    }));
    const { rows, end } = rowsOf(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
    const wanted = lines.map(({ steps: _, ...rest }) => rest);
    for (const [index, row] of rows.entries()) expect(row).toEqual(wanted[index]);
    expect(rows).toHaveLength(2000);
    expect(end).toBe(Buffer.byteLength(lines.map((line) => `${JSON.stringify(line)}\n`).join("")));
  });

  it("may have white space, other keys and values of other kinds", () => {
    const { rows } = rowsOf(
      '{ "step": 1, "loss" : 2.5 }\n{"step":2,"note":"a,b","loss":1e-3,"x":{"loss":9}}\n{"loss":null,"step":3}\n',
    );
    expect(rows).toEqual([{ step: 1, loss: 2.5 }, { step: 2, loss: 0.001 }, { step: 3 }]);
  });

  it("that are no JSON, or have no step, are left out, and so is the torn last one", () => {
    const good = '{"step":1,"loss":2}\n';
    const { rows, end } = rowsOf(
      `${good}nonsense\n{"step":-,"loss":1}\n{"step":0x1}\n{"loss":3}\n[]\n7\n\n{"step":2,"lo`,
    );
    expect(rows).toEqual([{ step: 1, loss: 2 }]);
    expect(end).toBe(`${good}nonsense\n{"step":-,"loss":1}\n{"step":0x1}\n{"loss":3}\n[]\n7\n\n`.length);
  });
});
