import * as tf from "@tensorflow/tfjs-core";
import type { Runnable } from "../engine.ts";
import "@tensorflow/tfjs-core/dist/register_all_gradients.js";
import type { Program, TensorSpecs, Tensors, Values } from "../../ops/program.ts";
import type { DeviceValues, Store } from "../store.ts";

export interface EagerOptions {
  /** Name under which the TF.js backend is registered. */
  backend: string;
  /** Names of the store's tensors that the program reads; default: all. */
  state?: readonly string[] | undefined;
  /** Keeps changed state on the backend until `Store.read` copies it; default: copies it to the host after each run. */
  resident?: boolean;
}

/** A tensor that stays on its backend. */
class BackendValues implements DeviceValues {
  readonly tensor: tf.Tensor;

  constructor(tensor: tf.Tensor) {
    this.tensor = tf.keep(tensor);
  }

  async read(): Promise<Values> {
    return valuesOf(this.tensor);
  }

  dispose(): void {
    this.tensor.dispose();
  }
}

/** A copy of a tensor's values. */
const valuesOf = (tensor: tf.Tensor): Values => tensor.dataSync<"float32" | "int32">().slice() as Values;

/**
 * Runs `program` op by op on a TF.js backend. The plain `cpu` backend is the oracle that compiled programs are tested
 * against.
 */
export function eager(program: Program, store: Store, batch: TensorSpecs, options: EagerOptions): Runnable {
  const { backend, state, resident = false } = options;
  return {
    async run(inputs) {
      await tf.setBackend(backend);
      let changed: Record<string, BackendValues> = {};
      let results: Record<string, Values> = {};
      tf.tidy(() => {
        const names = state ?? store.names();
        const tensors = Object.fromEntries(names.map((name) => [name, stateTensor(store, name, resident)]));
        const output = program(tensors, batchTensors(batch, inputs));
        changed = keptState(output.state);
        results = copied(output.results);
      });
      for (const [name, values] of Object.entries(changed)) {
        if (resident) store.replaceOnDevice(name, values);
        else {
          store.set(name, values.tensor.shape, valuesOf(values.tensor));
          values.dispose();
        }
      }
      return results;
    },
    async dispose() {},
  };
}

/** A tensor of the store on the backend. A resident one is uploaded once, and again when the host has newer values. */
function stateTensor(store: Store, name: string, resident: boolean): tf.Tensor {
  const there = resident ? store.device(name) : undefined;
  if (there) return (there as BackendValues).tensor;
  const { data, shape, dtype } = store.get(name);
  const tensor = tf.tensor(data.slice(), shape, dtype);
  if (resident) store.addDeviceCopy(name, new BackendValues(tensor));
  return tensor;
}

const batchTensors = (batch: TensorSpecs, inputs: Record<string, Values>): Tensors =>
  Object.fromEntries(
    Object.entries(batch).map(([name, { shape, dtype }]) => [name, tf.tensor(inputs[name]!.slice(), shape, dtype)]),
  );

/** Changed state, which outlives the run. Cloned, because a program may return a tensor that the store then frees. */
const keptState = (state: Tensors): Record<string, BackendValues> =>
  Object.fromEntries(Object.entries(state).map(([name, tensor]) => [name, new BackendValues(tf.clone(tensor))]));

const copied = (results: Tensors): Record<string, Values> =>
  Object.fromEntries(Object.entries(results).map(([name, tensor]) => [name, valuesOf(tensor)]));
