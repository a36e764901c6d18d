import { truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { Store } from "../../../../server/engine/store.ts";
import { loadState, saveState } from "../../../../server/stages/training/savedState.ts";
import { temporaryFolder } from "../support.ts";

const progress = { step: 12, seconds: 3.25, routing: [0.1, 2 / 3, 1e-300] };

/** Values whose bits are easily lost: negative zero, denormals, the largest and the smallest. */
const awkward = Float32Array.of(-0, 0, 1e-45, -1e-45, 3.4028234663852886e38, 1 / 3, -1e-20, 16777217);

function storeWith(): Store {
  const store = new Store();
  store.set("model.norm.weight", [2, 4], awkward.slice());
  store.set(
    "adam.m.model.norm.weight",
    [2, 4],
    awkward.map((x) => -x),
  );
  store.set("gradient.model.norm.weight", [1], Float32Array.of(9));
  return store;
}
const names = ["model.norm.weight", "adam.m.model.norm.weight"];
const bits = (data: ArrayLike<number>): Uint32Array => new Uint32Array(Float32Array.from(data).buffer);

test("training state comes back bit for bit, the named tensors only", async () => {
  const path = join(temporaryFolder(), "state.safetensors");
  const saved = storeWith();
  await saveState(path, saved, names, progress);
  const store = new Store();
  expect(await loadState(path, store, () => names)).toEqual(progress);
  expect(store.names().sort()).toEqual([...names].sort());
  for (const name of names) {
    expect(store.get(name).shape).toEqual([2, 4]);
    expect(bits(store.get(name).data)).toEqual(bits(saved.get(name).data));
  }
});

test("saving again replaces what was saved", async () => {
  const path = join(temporaryFolder(), "state.safetensors");
  const store = storeWith();
  await saveState(path, store, names, progress);
  store.set("model.norm.weight", [2, 4], new Float32Array(8).fill(5));
  await saveState(path, store, names, { ...progress, step: 13 });
  const loaded = new Store();
  expect(await loadState(path, loaded, () => names)).toMatchObject({ step: 13 });
  expect([...loaded.get("model.norm.weight").data]).toEqual(Array(8).fill(5));
});

test("which tensors are read may depend on the step that was saved", async () => {
  const path = join(temporaryFolder(), "state.safetensors");
  await saveState(path, storeWith(), names, progress);
  const store = new Store();
  await loadState(path, store, (step) => (step === progress.step ? names.slice(1) : names));
  expect(store.names()).toEqual(names.slice(1));
});

test("without a saved state there is none", async () => {
  expect(await loadState(join(temporaryFolder(), "state.safetensors"), new Store(), () => names)).toBeUndefined();
});

test.each([
  ["cut short", async (path: string) => truncateSync(path, 100)],
  ["empty", async (path: string) => writeFileSync(path, "")],
  ["of another program", async (path: string) => saveState(path, storeWith(), ["model.norm.weight"], progress)],
  [
    "without progress",
    async (path: string) => saveState(path, storeWith(), names, { step: -1, seconds: 0, routing: [] }),
  ],
])("a state file that is %s is an error that names the file", async (_, damage) => {
  const path = join(temporaryFolder(), "state.safetensors");
  await saveState(path, storeWith(), names, progress);
  await damage(path);
  await expect(loadState(path, new Store(), () => names)).rejects.toMatchObject({
    name: "UserError",
    message: expect.stringContaining(path) as string,
  });
});
