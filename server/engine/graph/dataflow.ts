/**
 * Properties of a program that follow from its data dependencies alone, in whatever order a runtime executes its nodes.
 */

/** A node of a lowered program, with values by name; each value is assigned once. Nodes are in topological order. */
export interface Step {
  readonly op: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
}

/** How a runtime's operators use memory. */
export interface MemoryUse {
  /** Whether a node may write its output over its input `input`: it reads element i before it writes element i. */
  overwrites(step: Step, input: string): boolean;
  /** Whether a node's output may share its input's memory. */
  isView(step: Step): boolean;
}

/**
 * Returns a test whether a program may write `output` over the memory of `input` (same shape). Every node that reads
 * `input` or a view of it must run before the node that writes `output`, or be that node and allow overwriting.
 *
 * @param outputs names of the values that the program returns
 */
export function inPlaceTest(
  steps: readonly Step[],
  outputs: ReadonlySet<string>,
  { overwrites, isView }: MemoryUse,
): (input: string, output: string) => boolean {
  const producer = new Map<string, number>();
  const consumers = new Map<string, number[]>();
  for (const [index, step] of steps.entries()) {
    for (const name of step.outputs) producer.set(name, index);
    for (const name of new Set(step.inputs)) {
      const list = consumers.get(name);
      if (list) list.push(index);
      else consumers.set(name, [index]);
    }
  }
  const ancestors = ancestorsOf(steps, producer);
  /** The nodes that read `name` or a view of it. */
  function readersOf(name: string): number[] {
    return (consumers.get(name) ?? []).flatMap((reader) => {
      const step = steps[reader]!;
      return isView(step) ? [reader, ...step.outputs.flatMap(readersOf)] : [reader];
    });
  }
  return (input, output) => {
    const writer = producer.get(output);
    if (writer === undefined || outputs.has(input)) return false;
    return readersOf(input).every((reader) => {
      if (reader === writer) return overwrites(steps[writer]!, input);
      return (ancestors[writer]![reader >> 5]! & (1 << (reader & 31))) !== 0;
    });
  };
}

/** For each node, the nodes that it depends on, as bits: node i is bit i % 32 of word i / 32. */
function ancestorsOf(steps: readonly Step[], producer: ReadonlyMap<string, number>): Uint32Array[] {
  const words = Math.ceil(steps.length / 32);
  const ancestors: Uint32Array[] = [];
  for (const { inputs } of steps) {
    const bits = new Uint32Array(words);
    for (const name of inputs) {
      const parent = producer.get(name);
      if (parent === undefined) continue;
      // A parent comes before its child, so its set is complete.
      const inherited = ancestors[parent]!;
      for (let word = 0; word < words; word++) bits[word]! |= inherited[word]!;
      bits[parent >> 5]! |= 1 << (parent & 31);
    }
    ancestors.push(bits);
  }
  return ancestors;
}

/**
 * Reorders nodes for a runtime that works backwards, depth first, from the nodes that no one reads, starting with the
 * last one. These nodes are moved to the end in reverse order, so that values have short lifetimes: if each is the
 * gradient of a layer's weights, its inputs are freed before the runtime gets to the preceding layer.
 */
export function unreadLast<S extends Step>(steps: readonly S[]): S[] {
  const read = new Set(steps.flatMap(({ inputs }) => inputs));
  const isLast = ({ outputs }: S) => !outputs.some((name) => read.has(name));
  return [...steps.filter((step) => !isLast(step)), ...steps.filter(isLast).reverse()];
}
