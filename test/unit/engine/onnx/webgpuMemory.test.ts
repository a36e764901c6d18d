import { expect, test } from "vitest";
import { tooLargeError } from "../../../../server/engine/onnx/webgpuMemory.ts";
import { UserError } from "../../../../server/protocol/errors.ts";

/** What ONNX Runtime says, here with SwiftShader. */
const limit = new Error(
  "WebGPU validation failed. Buffer size (1074790400) exceeds the max buffer size limit (1073741824).\n - While calling [Device].CreateBuffer([BufferDescriptor]).",
);
const memory = new Error(
  "WebGPU validation failed. [Invalid Buffer (unlabeled)] is invalid due to a previous error.\n - While validating entries[1] against { binding: 1 }",
);

test("a tensor that a GPU cannot hold is named, with what it takes, what there is, and what to do", () => {
  const weights = { name: "the tensor lm_head.weight [40000, 7000]", bytes: 1_120_000_000, ofBatch: false };
  expect(tooLargeError(limit, weights)).toEqual(
    new UserError(
      "the tensor lm_head.weight [40000, 7000] takes 1.04 GB, but a buffer of this GPU holds at most 1.00 GB: use a smaller model, or train on the CPU",
    ),
  );
  expect(tooLargeError(memory, { ...weights, ofBatch: true })?.message).toBe(
    "the tensor lm_head.weight [40000, 7000] takes 1.04 GB, which does not fit on this GPU: lower `microBatch` or `context`, or train on the CPU",
  );
  expect(tooLargeError(new Error("Got invalid dimensions for input"), weights)).toBeUndefined();
});
