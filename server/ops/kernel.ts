import {
  engine,
  getBackend,
  getKernel,
  type NamedAttrMap,
  type NamedTensorMap,
  type Tensor,
} from "@tensorflow/tfjs-core";

/**
 * Runs the current backend's own kernel `name` if it has one, else `composition`, which uses only ops that every
 * backend has and is the reference for the kernel.
 */
export function kernelOr<T extends Tensor | Tensor[]>(
  name: string,
  inputs: NamedTensorMap,
  attrs: NamedAttrMap,
  composition: () => T,
): T {
  return getKernel(name, getBackend()) ? engine().runKernel<T>(name, inputs, attrs) : composition();
}
