import { expect, test } from "vitest";
import { deviceFailure } from "../../../server/engine/deviceFailure.ts";
import { UserError } from "../../../server/protocol/errors.ts";

test.each([
  ["WebGPU validation failed. [Invalid Buffer (unlabeled)] is invalid due to a previous error.", /ran out of memory/],
  ["WebGPU validation failed. Buffer size (9) exceeds the max buffer size limit (8).", /ran out of memory/],
  ["Failed to download data from buffer: A valid external Instance reference no longer exists.", /was lost/],
  ["vkQueueSubmit failed with VK_ERROR_DEVICE_LOST", /was lost/],
  ["CUDA failure 2: out of memory ; GPU=0", /ran out of memory/],
])("a run that fails for the device's sake names the device and says how to go on: %s", (text, what) => {
  const failure = deviceFailure(new Error(text), "webgpu", "Radeon") as UserError;
  expect(failure).toBeInstanceOf(UserError);
  expect(failure.message).toMatch(/^the device webgpu \(Radeon\) .*the last checkpoint is kept: .*`btx resume`/);
  expect(failure.message).toMatch(what);
});

test("a mistake of a program stays what it is", () => {
  const error = new Error("Got invalid dimensions for input: batch:x");
  expect(deviceFailure(error, "webgpu", "Radeon")).toBe(error);
});
