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
  /** In milliseconds from now. Zero or less means immediately, `Infinity` never. */
  readonly delayMs: number
  /** Whether the rotation is due because of the token's age rather than its schedule. */
  readonly ageing: boolean
}

export const NEVER: number = Number.POSITIVE_INFINITY

/**
 * A rotation is due at two thirds of the token's life, or at `rotationDueAt` if that comes first. All instants, including `now`, are the server's.
 *
 * A successor keeps the old token's expiry, so its life is only the remainder. Rotation by age stops when fewer than four overlaps remain. Otherwise,
 * rotations would follow each other faster and faster until the end.
 */
export function dueOf(record: RecordPart, now: number, overlapMs: number): Due {
  const created = instantOf(record.createdAt) ?? now
  const life = (instantOf(record.expiresAt) ?? NEVER) - created
  const aged = life < 4 * overlapMs ? NEVER : created + (life * 2) / 3
  const scheduled = instantOf(record.rotationDueAt) ?? NEVER
  return { delayMs: Math.min(aged, scheduled) - now, ageing: aged < scheduled }
}

/** Returns milliseconds since the epoch, or `undefined` for an invalid instant. */
export function instantOf(text: string | null | undefined): number | undefined {
  return Date.parse(text ?? '') || undefined
}
