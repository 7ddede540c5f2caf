/** A body that is being read, or has been read and is being verified. */
export type Place = {
  readonly caller: string
  readonly stop: AbortController
  reading: boolean
  bytes: number
}

/**
 * Limits how many bodies arrive at the same time and how many of their bytes are held, and divides both limits among the callers. A body that exceeds a
 * limit displaces a body that is still being read, from the caller that takes up the most. So a caller loses a body only if it takes up as much as any
 * other, and bodies that send nothing occupy none of the memory that others need.
 */
export class Places {
  readonly #most: number
  readonly #mostBytes: number
  readonly #reason: () => Error
  readonly #taken: Set<Place> = new Set()
  #bytes = 0

  /** Bodies that lose their place are stopped with this reason. */
  constructor(most: number, mostBytes: number, reason: () => Error) {
    this.#most = most
    this.#mostBytes = mostBytes
    this.#reason = reason
  }

  /**
   * Takes a place for a body.
   *
   * @throws the reason, if all are taken by bodies that are being verified
   */
  take(caller: string): Place {
    if (this.#taken.size >= this.#most) {
      const former = this.#largest(() => 1, caller)
      if (former === undefined) throw this.#reason()
      this.#stop(former)
    }
    const place = { caller, stop: new AbortController(), reading: true, bytes: 0 }
    this.#taken.add(place)
    return place
  }

  /** Counts bytes that arrived. Returns `false` if the body has lost its place, or loses it now. */
  hold(place: Place, bytes: number): boolean {
    if (!this.#taken.has(place)) return false
    place.bytes += bytes
    this.#bytes += bytes
    while (this.#bytes > this.#mostBytes) this.#stop(this.#largest((one) => one.bytes) ?? place)
    return this.#taken.has(place)
  }

  leave(place: Place): void {
    if (this.#taken.delete(place)) this.#bytes -= place.bytes
  }

  #stop(place: Place): void {
    this.leave(place)
    place.stop.abort(this.#reason())
  }

  /** Finds the caller that uses the most by this measure, counting one more for `next`, and returns its oldest body that is still being read. */
  #largest(measure: (place: Place) => number, next?: string): Place | undefined {
    const reading = [...this.#taken].filter((place) => place.reading && measure(place) > 0)
    const sums = new Map<string, number>(next === undefined ? [] : [[next, 1]])
    for (const place of reading) sums.set(place.caller, (sums.get(place.caller) ?? 0) + measure(place))
    const most = Math.max(...sums.values())
    return reading.find(({ caller }) => sums.get(caller) === most)
  }
}
