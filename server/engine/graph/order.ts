import type { OnnxNode } from "../onnx/lowering/encode.ts";

/**
 * The nodes in an order that the runtime makes a short-lived one of. It works backwards, depth first, from the nodes that
 * nobody reads, the last of them first. So those come at the end, the earliest last: where each is the gradient of a layer's
 * weights, what it is made of is free before the layers before it are come to.
 */
export function orderForRuntime(nodes: OnnxNode[]): OnnxNode[] {
  const read = new Set(nodes.flatMap(({ inputs }) => inputs));
  const isLast = ({ outputs }: OnnxNode) => !outputs.some((name) => read.has(name));
  return [...nodes.filter((node) => !isLast(node)), ...nodes.filter(isLast).reverse()];
}
