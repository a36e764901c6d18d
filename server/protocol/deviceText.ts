import type { Device } from "./devices.ts";

/** Why a device cannot be used and what to do about it, or what else there is to know of it; "" where there is nothing. */
export const whyText = ({ reason, remedy }: Pick<Device, "reason" | "remedy">): string =>
  [reason, remedy].filter(Boolean).join(": ");
