import type { Done, Report, Span, Target } from './protocol.js'

type Life = {
  readonly target: Target
  readonly tenantId: string | undefined
  /** When the first call that may have ended the token began, whether or not the call was acknowledged. */
  endingBegan?: number
  /** When an end was first acknowledged. */
  endedAt?: number
  lastAccepted: number
  /** Whether nodes no longer verify the token. */
  forgotten: boolean
}

/** Records what the nodes did and saw, and detects violations of the rules. */
export class History {
  readonly lives: Map<string, Life> = new Map()
  readonly violations: string[] = []
  readonly #boundMs: number
  readonly acknowledged: { [change: string]: number } = {}
  verifications = 0
  unavailable = 0
  unanswered = 0
  /** When each node answered with 503 for a token. */
  readonly outages: Map<string, Span[]> = new Map()
  /** The longest time from the acknowledgment of an end to the last accepted verification. */
  latestMs: number = Number.NEGATIVE_INFINITY

  constructor(boundMs: number) {
    this.#boundMs = boundMs
  }

  made(target: Target, tenantId?: string): void {
    this.lives.set(target.id, { target, tenantId, lastAccepted: Number.NEGATIVE_INFINITY, forgotten: false })
  }

  /** Records that a call is about to end this token. */
  ending(id: string, now: number): void {
    const life = this.lives.get(id)
    if (life !== undefined) life.endingBegan ??= now
  }

  /** Records an acknowledged change, which ended these tokens. */
  done(what: string, { ended }: Done, ids: readonly string[] = []): void {
    this.acknowledged[what] = (this.acknowledged[what] ?? 0) + 1
    for (const id of ids) {
      const life = this.lives.get(id)
      if (life === undefined) continue
      life.endedAt = Math.min(life.endedAt ?? Number.POSITIVE_INFINITY, ended)
      this.#judge(life)
    }
  }

  /** Tokens that no call has tried to end. */
  alive(): readonly Life[] {
    return [...this.lives.values()].filter(({ endingBegan }) => endingBegan === undefined)
  }

  /** Tokens that nodes still have to verify. */
  watched(): readonly Target[] {
    return [...this.lives.values()].filter(({ forgotten }) => !forgotten).map(({ target }) => target)
  }

  /** Tokens that ended so long ago that nothing new can be learned about them. Each is returned only once. */
  forgettable(afterMs: number, now: number): readonly string[] {
    const old = [...this.lives.values()].filter(({ endedAt, forgotten }) => !forgotten && endedAt !== undefined && now - endedAt > afterMs)
    for (const life of old) life.forgotten = true
    return old.map(({ target }) => target.id)
  }

  seen(node: string, report: Report): void {
    this.verifications += report.verifications
    this.unavailable += report.unavailable
    const outages = this.outages.get(node) ?? []
    outages.push(...report.outages)
    this.outages.set(node, outages)
    for (const [id, began] of report.accepted) {
      const life = this.lives.get(id)
      if (life === undefined || began <= life.lastAccepted) continue
      life.lastAccepted = began
      this.#judge(life)
    }
    for (const [id, code, at] of report.refused) {
      const life = this.lives.get(id)
      if (life !== undefined && (life.endingBegan === undefined || at < life.endingBegan)) {
        this.violations.push(`${node} answered ${code} for a token that was never revoked`)
      }
    }
    for (const id of report.again) this.violations.push(`${node} accepted ${id} again after refusing it`)
  }

  /** The longest time that a token was answered with 503 at this node, among outages that began in one of these periods. */
  longestOutageMs(node: string, times: readonly Span[]): number {
    const begun = (this.outages.get(node) ?? []).filter(([from]) => times.some(([first, last]) => from >= first && from <= last))
    return Math.max(0, ...begun.map(([from, to]) => to - from))
  }

  #judge({ target, endedAt, lastAccepted }: Life): void {
    if (endedAt === undefined) return
    this.latestMs = Math.max(this.latestMs, lastAccepted - endedAt)
    const late = lastAccepted - endedAt - this.#boundMs
    if (late > 0) this.violations.push(`${target.id} was accepted ${late.toFixed(1)} ms past the bound`)
  }
}
