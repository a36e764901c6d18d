import { appendFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { tailJsonLines } from "../../../server/disk/tail.ts";
import { temporaryFolder } from "../runs/folder.ts";

describe("tailJsonLines", () => {
  it("gives each line once, when it is whole, from before the file exists", async () => {
    const path = join(temporaryFolder(), "metrics.jsonl");
    expect(await tailJsonLines(path, 0)).toEqual({ lines: [], offset: 0, restarted: false });
    writeFileSync(path, '{"a":"ü"}\n{"b"');
    const first = await tailJsonLines(path, 0);
    expect(first).toEqual({ lines: ['{"a":"ü"}'], offset: 11, restarted: false });
    expect(await tailJsonLines(path, first.offset)).toEqual({ lines: [], offset: 11, restarted: false });
    appendFileSync(path, ":2}\n{}\n");
    expect(await tailJsonLines(path, first.offset)).toEqual({ lines: ['{"b":2}', "{}"], offset: 22, restarted: false });
  });

  it("begins anew when the file was cut back, has gone, or is another", async () => {
    const path = join(temporaryFolder(), "metrics.jsonl");
    writeFileSync(path, "one\ntwo\nthree\n");
    const { offset } = await tailJsonLines(path, 0);
    truncateSync(path, 8);
    expect(await tailJsonLines(path, offset)).toEqual({ lines: ["one", "two"], offset: 8, restarted: true });
    writeFileSync(path, "a much longer line than before\n");
    expect(await tailJsonLines(path, 8)).toMatchObject({ lines: ["a much longer line than before"], restarted: true });
    expect(await tailJsonLines(`${path}.absent`, 8)).toEqual({ lines: [], offset: 0, restarted: true });
  });
});
