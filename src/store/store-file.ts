const FILES = new WeakMap<object, string>()

/** Records the path of the file that a store opens at its first call, so that the command line can tell whether it exists. */
export function noteFileOf(store: object, path: string): void {
  FILES.set(store, path)
}

/** Returns the path of the file that a store opens, if it was given one. */
export function filePathOf(store: object): string | undefined {
  return FILES.get(store)
}
