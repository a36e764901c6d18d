import { expect, test } from "vitest";
import { Store } from "../../../../server/engine/runtime/store.ts";

test("a store keeps the very values it is given, with their shape and type", () => {
  const store = new Store();
  const [floats, numbers] = [Float32Array.of(1, 2, 3, 4, 5, 6), Int32Array.of(7)];
  store.set("w", [2, 3], floats);
  store.set("count", [], numbers);
  expect(store.get("w")).toEqual({ shape: [2, 3], dtype: "float32", data: floats });
  expect(store.get("w").data).toBe(floats);
  expect(store.get("count").data).toBe(numbers);
  expect(store.names()).toEqual(["w", "count"]);
  expect(store.specs()).toEqual({
    w: { shape: [2, 3], dtype: "float32" },
    count: { shape: [], dtype: "int32" },
  });
});

test("a tensor can be replaced and removed", () => {
  const store = new Store();
  store.set("w", [2], new Float32Array(2));
  store.set("w", [0, 5], new Float32Array(0));
  expect(store.get("w").shape).toEqual([0, 5]);
  store.delete("w");
  expect(store.names()).toEqual([]);
  expect(() => store.get("w")).toThrow('the store has no tensor "w"');
});

test("values that do not fill the shape are refused", () => {
  expect(() => new Store().set("w", [2, 3], new Float32Array(5))).toThrow('"w" has 5 values for shape [2,3]');
});
