import type { Allowance } from '../store/deadline.js'

/** After a longer wait for the body of a request, its sender may have lost rights since they were determined. */
const LATE_MS = 1_000

/** A body, and whether it took so long to arrive that the rights of its sender must be determined again. */
export type Received<T> = { readonly body: T; readonly isLate: boolean }

/** Waits for a body. A slow upload does not count against the deadline. */
export async function receive<T>(allowance: Allowance, read: () => Promise<T>): Promise<Received<T>> {
  const before = allowance.apartMs
  const body = await allowance.apart(read)
  return { body, isLate: allowance.apartMs - before > LATE_MS }
}
