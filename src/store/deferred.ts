/** A promise that is settled from outside. */
export type Deferred<T> = {
  readonly promise: Promise<T>
  readonly resolve: (result: T | Promise<T>) => void
  readonly reject: (error: unknown) => void
}

/** Creates a promise with the functions that settle it. */
export function deferred<T>(): Deferred<T> {
  let resolve: (result: T | Promise<T>) => void = () => undefined
  let reject: (error: unknown) => void = () => undefined
  const promise = new Promise<T>((yes, no) => {
    resolve = yes
    reject = no
  })
  return { promise, resolve, reject }
}
