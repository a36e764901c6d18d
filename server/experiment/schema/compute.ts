import * as z from "zod";
import { deviceNameSchema, engineChoiceSchema } from "../../protocol/devices.ts";
import { notes } from "./notes.ts";

const sameStages = "Changing it reruns nothing: a stage that is done on one device is not repeated on another.";

export const engineSchema = engineChoiceSchema.default("auto").meta(
  notes({
    description: `What runs the computation. \`auto\`: the fastest engine, which is \`onnx\`. \`onnx\`: ONNX Runtime with compiled programs. \`tfjs\`: TensorFlow.js, which runs the same programs op by op. ${sameStages}`,
    default: "auto",
  }),
);

export const devicesSchema = z
  .array(
    deviceNameSchema.meta({
      expects:
        "`cpu`, `webgpu`, `cuda`, one CUDA device by its number such as `cuda:1`, `tfjs-node` or `tfjs-node-gpu`",
    }),
  )
  .min(1)
  .optional()
  .meta(
    notes({
      description: `Devices to compute on, named as by \`btx devices\`. A GPU trains one model at a time, and experts are spread over all GPUs. \`cpu\`: the CPU. \`webgpu\`: the GPU that WebGPU reaches, or its software adapter. \`cuda\`: all NVIDIA GPUs, if the engine \`cuda\` is installed. \`tfjs-node-gpu\`: TensorFlow on a GPU, with the engine \`tfjs\`. \`tfjs-node\`: TensorFlow on the CPU, with the engine \`tfjs\`. ${sameStages}`,
      defaultText: "all usable GPUs, otherwise the CPU; software adapters do not count",
      expects: "a list of devices such as [cpu], [webgpu] or [cuda:0, cuda:1]",
    }),
  );
