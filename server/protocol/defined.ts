/** T without undefined values: each key is either absent or has a value. */
export type Defined<T extends object> = { [Key in keyof T]: Exclude<T[Key], undefined> };

/** Removes keys whose value is undefined. */
export const defined = <T extends object>(values: T): Defined<T> =>
  Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Defined<T>;
