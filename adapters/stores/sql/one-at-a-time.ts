/** Creates a function that runs units of work one at a time for each key, in the order of the calls. */
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

/** Like `oneAtATime`, with strings as keys. A key is kept only while work waits or runs. */
export const oneAtATimeByText = (): (<T>(key: string, work: () => T | Promise<T>) => Promise<T>) => {
  const last: Map<string, Promise<unknown>> = new Map()
  return async (key, work) => {
    const mine = (last.get(key) ?? Promise.resolve()).then(work)
    const ended = mine.catch(() => undefined)
    last.set(key, ended)
    try {
      return await mine
    } finally {
      if (last.get(key) === ended) last.delete(key)
    }
  }
}
