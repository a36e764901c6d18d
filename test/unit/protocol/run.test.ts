import { expect, test } from "vitest";
import { secondsTaken } from "../../../server/protocol/run.ts";

const created = "2026-07-31T12:00:00.000Z";
const finished = "2026-07-31T12:01:30.000Z";

test("how long a run took is what its runners measured, and undefined until it has finished", () => {
  expect(secondsTaken({ created, finished, seconds: 42 })).toBe(42);
  expect(secondsTaken({ created, seconds: 42 })).toBeUndefined();
});

test("of a run of an older version it is the time between its start and its end, unless a clock was set back between", () => {
  expect(secondsTaken({ created, finished })).toBe(90);
  expect(secondsTaken({ created: finished, finished: created })).toBeUndefined();
});
