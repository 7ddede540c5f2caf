/** Thrown by a handler that has told of its failure itself: the consumer waits as long as it says, and gives it the same event again. */
export class RetryLater extends Error {
  readonly waitMs: number

  constructor(waitMs: number) {
    super(`again in ${waitMs / 1000} s`)
    this.waitMs = waitMs
  }
}
