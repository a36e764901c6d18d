/** Numbers for people, as everywhere. */
export * from "../protocol/format.ts";
