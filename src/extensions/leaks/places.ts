/** A body that is being read, or has been read and is being verified. */
export type Place = {
  readonly caller: string
  readonly since: number
  readonly stop: AbortController
  reading: boolean
}

/**
 * A limited number of places for bodies, shared among their callers. When all are taken, a further body takes the place of one that is still being read, so
 * that no caller keeps out others by taking many places, or by sending slowly.
 */
export class Places {
  readonly #most: number
  readonly #graceMs: number
  readonly #taken: Set<Place> = new Set()

  /** `graceMs`: how long the body of a caller that has no more places than others may take before it counts as slow. */
  constructor(most: number, graceMs: number) {
    this.#most = most
    this.#graceMs = graceMs
  }

  /** Takes a place, or returns `undefined` if there is none. Stops the body that had it with `reason`. */
  take(caller: string, reason: () => Error): Place | undefined {
    const now = performance.now()
    if (this.#taken.size >= this.#most) {
      const former = this.#replaceable(caller, now)
      if (former === undefined) return undefined
      this.#taken.delete(former)
      former.stop.abort(reason())
    }
    const place = { caller, since: now, stop: new AbortController(), reading: true }
    this.#taken.add(place)
    return place
  }

  leave(place: Place): void {
    this.#taken.delete(place)
  }

  /** The oldest body of the caller with the most places, if it would still have as many as the new one; otherwise the oldest of all, if it is slow. */
  #replaceable(caller: string, now: number): Place | undefined {
    const counts = new Map<string, number>()
    for (const place of this.#taken) counts.set(place.caller, (counts.get(place.caller) ?? 0) + 1)
    const most = Math.max(...counts.values())
    const reading = [...this.#taken].filter((place) => place.reading)
    if (most > (counts.get(caller) ?? 0) + 1) {
      const found = reading.find((place) => counts.get(place.caller) === most)
      if (found !== undefined) return found
    }
    const [oldest] = reading
    return oldest !== undefined && now - oldest.since >= this.#graceMs ? oldest : undefined
  }
}
