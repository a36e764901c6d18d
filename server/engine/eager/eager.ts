import * as tf from "@tensorflow/tfjs-core";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import type { Program, Runnable, TensorSpecs, Tensors, Values } from "../program.ts";
import type { Store } from "../runtime/store.ts";

/**
 * Runs `program` op by op on a TF.js backend that is registered under `backend`. The plain `cpu` backend is the
 * oracle the compiled programs are checked against.
 * @param state names of the store's tensors the program takes; all of them if left out
 */
export function eager(
  program: Program,
  store: Store,
  batch: TensorSpecs,
  backend: string,
  state?: readonly string[],
): Runnable {
  const tensorsOf = (
    names: string[],
    of: (name: string) => { data: Values; shape: number[]; dtype: "float32" | "int32" },
  ): Tensors =>
    Object.fromEntries(
      names.map((name) => {
        const { data, shape, dtype } = of(name);
        return [name, tf.tensor(data.slice(), shape, dtype)];
      }),
    );
  const values = (tensor: tf.Tensor): Values => tensor.dataSync<"float32" | "int32">().slice() as Values;
  return {
    async run(inputs) {
      await tf.setBackend(backend);
      return tf.tidy(() => {
        const output = program(
          tensorsOf([...(state ?? store.names())], (name) => store.get(name)),
          tensorsOf(Object.keys(batch), (name) => ({ data: inputs[name]!, ...batch[name]! })),
        );
        for (const [name, tensor] of Object.entries(output.state)) store.set(name, tensor.shape, values(tensor));
        return Object.fromEntries(
          Object.entries(output.results).map(([name, tensor]) => [name, values(tensor)]),
        ) as never;
      });
    },
    async dispose() {},
  };
}
