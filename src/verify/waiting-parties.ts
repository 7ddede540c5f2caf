import { Counts } from '../cache/lookup-shares.js'

/** A party to which work is attributed. Its work may occupy at most `most` slots. */
export type Holder = { readonly key: string; readonly most: number }

/** A caller that waits for slots. All work with the same site and caller has the same holders. */
export type Waiting = { readonly site: string; readonly caller: string; readonly holders: readonly Holder[] }

type Party<Job> = Waiting & {
  readonly key: string
  readonly jobs: Set<Job>
  /** The holder that must first release a slot; absent for a party that is in the queue. */
  aside: string | undefined
}

/**
 * The queue of callers that wait for a limited number of slots. Sites are served in turn, and so are the callers within each of them.
 *
 * A party is set aside while one of its holders already occupies as many slots as it is allowed. When a holder releases a slot, one party returns to the
 * queue, so it is never necessary to search through all waiting parties.
 */
export class WaitingParties<Job extends Waiting> {
  readonly #parties: Map<string, Party<Job>> = new Map()
  /** The parties in the queue, by site, in the order in which they are served. */
  readonly #sites: Map<string, Set<Party<Job>>> = new Map()
  /**
   * The parties that are set aside, by holder. While a holder has any, either all of its slots are taken, or another of its parties is in the queue, which
   * brings back the next one when it leaves.
   */
  readonly #aside: Map<string, Set<Party<Job>>> = new Map()
  /** The number of slots that each holder occupies. */
  readonly #taken: Counts = new Counts()

  get isEmpty(): boolean {
    return this.#parties.size === 0
  }

  add(job: Job): void {
    const { site, caller, holders } = job
    const key = keyOf(job)
    const known = this.#parties.get(key)
    if (known !== undefined) {
      known.jobs.add(job)
      return
    }
    const party = { site, caller, holders, key, jobs: new Set([job]), aside: undefined }
    this.#parties.set(key, party)
    this.#queue(party)
  }

  /** Removes waiting work. Returns whether it was still waiting. */
  remove(job: Job): boolean {
    const party = this.#parties.get(keyOf(job))
    if (party?.jobs.delete(job) !== true) return false
    if (party.jobs.size > 0) return true
    this.#parties.delete(party.key)
    if (party.aside === undefined) {
      this.#leaveLine(party)
      this.#callOthers(party)
    } else drop(this.#aside, party.aside, party)
    return true
  }

  /** Returns the next work, if any may start. */
  next(): Job | undefined {
    for (const parties of this.#sites.values()) {
      for (const party of parties) {
        const full = party.holders.find((holder) => this.#isFull(holder))
        if (full === undefined) return firstOf(party.jobs)
        this.#leaveLine(party)
        this.#standAside(party, full.key)
        this.#callOthers(party)
      }
    }
    return undefined
  }

  /** Takes a slot for work that was removed. If its site and caller have more work, they move to the end of the queue. */
  take(from: Waiting): void {
    for (const { key } of from.holders) this.#taken.add(key)
    const parties = this.#sites.get(from.site)
    if (parties === undefined) return
    this.#sites.delete(from.site)
    this.#sites.set(from.site, parties)
    const party = this.#parties.get(keyOf(from))
    if (party === undefined || !parties.has(party)) return
    this.#leaveLine(party)
    this.#queue(party)
    this.#callOthers(party)
  }

  /** Releases a slot. */
  giveBack(from: Waiting): void {
    for (const { key } of from.holders) this.#taken.remove(key)
    this.#callOthers(from)
  }

  #isFull({ key, most }: Holder): boolean {
    return this.#taken.of(key) >= most
  }

  /** Adds a party to the queue, or sets it aside if others already wait for one of its holders. */
  #queue(party: Party<Job>): void {
    const before = party.holders.find(({ key }) => this.#aside.has(key))
    if (before === undefined) this.#lineUp(party)
    else this.#standAside(party, before.key)
  }

  #lineUp(party: Party<Job>): void {
    const parties = this.#sites.get(party.site) ?? new Set()
    this.#sites.set(party.site, parties.add(party))
  }

  #leaveLine(party: Party<Job>): void {
    drop(this.#sites, party.site, party)
  }

  #standAside(party: Party<Job>, holder: string): void {
    const parties = this.#aside.get(holder) ?? new Set()
    this.#aside.set(holder, parties.add(party))
    party.aside = holder
  }

  /** For each of these holders that has a slot left, returns one party to the queue. */
  #callOthers({ holders }: Waiting): void {
    for (const holder of holders) {
      const party = this.#isFull(holder) ? undefined : firstOf(this.#aside.get(holder.key) ?? [])
      if (party === undefined) continue
      drop(this.#aside, holder.key, party)
      party.aside = undefined
      this.#lineUp(party)
    }
  }
}

function keyOf({ site, caller }: Waiting): string {
  return JSON.stringify([site, caller])
}

function firstOf<T>(values: Iterable<T>): T | undefined {
  for (const value of values) return value
  return undefined
}

function drop<T>(sets: Map<string, Set<T>>, key: string, value: T): void {
  const set = sets.get(key)
  set?.delete(value)
  if (set?.size === 0) sets.delete(key)
}
