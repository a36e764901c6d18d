import { expect, test } from "vitest";
import { asDeviceFailure, whyNotHeld } from "../../../../server/engine/runtime/webgpuFailure.ts";
import { UserError } from "../../../../server/protocol/errors.ts";

/** What ONNX Runtime said, with SwiftShader and in its source. */
const limit = new Error(
  "WebGPU validation failed. Buffer size (1074790400) exceeds the max buffer size limit (1073741824).\n - While calling [Device].CreateBuffer([BufferDescriptor]).",
);
const memory = new Error(
  "WebGPU validation failed. [Invalid Buffer (unlabeled)] is invalid due to a previous error.\n - While validating entries[1] against { binding: 1 }",
);
const lost = new Error("Failed to download data from buffer: the device was lost");
const other = new Error("Got invalid dimensions for input: batch:x for the following indices");

test("a tensor that a GPU cannot hold is named, with what it takes, what there is, and what to do", () => {
  const weights = { name: "the tensor lm_head.weight [40000, 7000]", bytes: 1_120_000_000, ofBatch: false };
  expect(whyNotHeld(limit, weights)).toEqual(
    new UserError(
      "the tensor lm_head.weight [40000, 7000] takes 1.04 GB, but a buffer of this GPU holds 1.00 GB at most: take a smaller model, or run on the CPU",
    ),
  );
  expect(whyNotHeld(memory, { ...weights, ofBatch: true })?.message).toBe(
    "the tensor lm_head.weight [40000, 7000] takes 1.04 GB, which this GPU has no room for: take a smaller micro-batch or a shorter context, or run on the CPU",
  );
  expect(whyNotHeld(other, weights)).toBeUndefined();
});

test.each([
  [limit, /^the GPU failed in mid-run: a tensor takes 1.00 GB, but a buffer holds 1.00 GB at most: take a smaller/],
  [memory, /^the GPU ran out of memory in mid-run: .* then run again to go on from the last save$/],
  [lost, /^the GPU was lost in mid-run .*: run again to go on from the last save$/],
])("a run that fails for the device's sake says so: %s", (error, message) => {
  const failure = asDeviceFailure(error);
  expect(failure).toBeInstanceOf(UserError);
  expect((failure as UserError).message).toMatch(message);
});

test("a mistake of a program stays what it is", () => {
  expect(asDeviceFailure(other)).toBe(other);
});
