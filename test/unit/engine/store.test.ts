import { expect, test } from "vitest";
import { Store } from "../../../server/engine/store.ts";

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

/** Values that a device would hold. */
function onDevice(...values: number[]) {
  const device = {
    disposed: 0,
    read: async () => Float32Array.from(values),
    dispose: () => {
      device.disposed++;
    },
  };
  return device;
}

test("values that a device has changed are read from there, and not taken for the host's", async () => {
  const store = new Store();
  store.set("w", [2], Float32Array.of(1, 2));
  const [first, second] = [onDevice(1, 2), onDevice(3, 4)];
  store.addDeviceCopy("w", first);
  expect([...store.get("w").data]).toEqual([1, 2]);
  store.replaceOnDevice("w", second);
  expect(first.disposed).toBe(1);
  expect(store.device("w")).toBe(second);
  expect(store.specs()).toEqual({ w: { shape: [2], dtype: "float32" } });
  expect(() => store.get("w")).toThrow('the newest values of "w" are on a device');
  expect(await store.read("w")).toEqual({ shape: [2], dtype: "float32", data: Float32Array.of(3, 4) });
  expect(() => store.get("w")).toThrow();
});

test("the device's memory is freed when the host has newer values, and when a tensor goes", () => {
  const store = new Store();
  const [first, second] = [onDevice(1), onDevice(2)];
  store.set("w", [1], Float32Array.of(0));
  store.replaceOnDevice("w", first);
  store.set("w", [1], Float32Array.of(5));
  expect(first.disposed).toBe(1);
  expect(store.device("w")).toBeUndefined();
  expect([...store.get("w").data]).toEqual([5]);
  store.replaceOnDevice("w", second);
  store.delete("w");
  expect(second.disposed).toBe(1);
});
