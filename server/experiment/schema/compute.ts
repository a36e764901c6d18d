import * as z from "zod";
import { deviceNameSchema, engineChoiceSchema } from "../../protocol/devices.ts";
import { notes } from "./notes.ts";

const sameStages = "It is no part of what a stage is: one that was done on another device is not done again.";

export const engineSchema = engineChoiceSchema.default("auto").meta(
  notes({
    description: `What computes. \`auto\`: the engine that is fastest here, which is \`onnx\`. \`onnx\`: ONNX Runtime, compiled programs. \`tfjs\`: TensorFlow.js, the same programs op by op. ${sameStages}`,
    default: "auto",
  }),
);

export const devicesSchema = z
  .array(
    deviceNameSchema.meta({
      expects: "`cpu`, `webgpu`, `cuda`, one of CUDA's by its number such as `cuda:1`, `tfjs-node` or `tfjs-node-gpu`",
    }),
  )
  .min(1)
  .optional()
  .meta(
    notes({
      description: `Devices to compute on, as \`btx devices\` names them; a graphics card trains one model at a time, and experts are spread over them. \`cpu\`: the processor. \`webgpu\`: the GPU that WebGPU uses, or its software adapter. \`cuda\`: all graphics cards of NVIDIA, where the engine \`cuda\` is installed. \`tfjs-node-gpu\`: TensorFlow on a graphics card, of the engine \`tfjs\`. \`tfjs-node\`: TensorFlow on the processor, of the engine \`tfjs\`. ${sameStages}`,
      defaultText: "all graphics cards that can be used, else the processor; software adapters do not count",
      expects: "a list of devices such as [cpu], [webgpu] or [cuda:0, cuda:1]",
    }),
  );
