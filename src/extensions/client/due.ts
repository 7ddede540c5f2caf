/** The part of a token's record that the client reads. */
export type RecordPart = {
  readonly id: string
  readonly createdAt?: string
  readonly expiresAt?: string
  readonly rotationDueAt?: string
  readonly replacedById?: string
}

/** When to rotate. */
export type Due = {
  /** In milliseconds from now; 0 and less: at once. `Infinity`: never. */
  readonly delayMs: number
  /** The token's age is the reason, not its schedule. */
  readonly ageing: boolean
}

const NEVER = Number.POSITIVE_INFINITY

/**
 * A rotation is due at two thirds of the token's life, or at `rotationDueAt` if that comes first. All instants are the server's own, `now` too.
 *
 * A successor keeps the old token's end, so its life is what is left; rotating by age stops where that is less than four overlaps,
 * or it would go on ever faster until the end.
 */
export function dueOf(record: RecordPart, now: number, overlapMs: number): Due {
  const created = instantOf(record.createdAt) ?? now
  const life = (instantOf(record.expiresAt) ?? NEVER) - created
  const aged = life < 4 * overlapMs ? NEVER : created + (life * 2) / 3
  const scheduled = instantOf(record.rotationDueAt) ?? NEVER
  return { delayMs: Math.min(aged, scheduled) - now, ageing: aged < scheduled }
}

/** Milliseconds since the epoch; `undefined` for anything that is no instant. */
export function instantOf(text: string | null | undefined): number | undefined {
  return Date.parse(text ?? '') || undefined
}
