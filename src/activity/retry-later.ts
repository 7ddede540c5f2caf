/** Thrown by a handler that has already reported its failure. The consumer waits as long as requested and delivers the same event again. */
export class RetryLater extends Error {
  readonly waitMs: number

  constructor(waitMs: number) {
    super(`again in ${waitMs / 1000} s`)
    this.waitMs = waitMs
  }
}

/** Returns whether a handler threw this. The value comes from the host, so even inspecting it may throw. */
export function isRetryLater(error: unknown): error is RetryLater {
  try {
    return error instanceof RetryLater
  } catch {
    return false
  }
}
