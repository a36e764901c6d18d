import { expect, test } from "vitest";
import { Table } from "../../../server/protocol/table.ts";

test("a table gives what was put in, takes more, and refuses a type twice or one that is not there", () => {
  const table = new Table("router", { linear: 1 });
  table.add("hash", 2);
  expect([table.get("linear"), table.get("hash")]).toEqual([1, 2]);
  expect(() => table.add("hash", 3)).toThrow('there is already a router of type "hash"');
  expect(() => table.get("toString")).toThrow('there is no router of type "toString"');
});
