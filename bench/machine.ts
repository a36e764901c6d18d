import { availableParallelism, cpus } from "node:os";

/** Where and when figures were measured: the beginning of every file in results/. */
export const measuredOn = {
  machine: {
    cpu: cpus()[0]?.model.trim(),
    cores: availableParallelism(),
    platform: `${process.platform}-${process.arch}`,
  },
  date: new Date().toISOString().slice(0, 10),
};
