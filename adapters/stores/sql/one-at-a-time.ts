/** Creates a function that runs pieces of work one at a time for each key, in the order of the calls. */
export const oneAtATime = <K extends object>(): (<T>(key: K, work: () => T | Promise<T>) => Promise<T>) => {
  const last: WeakMap<K, Promise<unknown>> = new WeakMap()
  return (key, work) => {
    const mine = (last.get(key) ?? Promise.resolve()).then(work)
    last.set(
      key,
      mine.catch(() => undefined),
    )
    return mine
  }
}
