import { createHash, randomBytes } from 'node:crypto'
import type { ImportReport, Latchkey, LatchkeyOptions, TokenFormat } from 'latchkey'
import { instance, SCOPES, type Scope } from '../latchkey/harness.js'

export const IMPORT_KEY = 'q9Zf2mT7xLw4Rb8uYc1Vn6Kd3Hs5Gj0P'

/** A row of a hand-made token table. */
export type Row = { readonly id: number; readonly hash: string; readonly name: string; readonly owner: string }

/** A token from another system, `sk_` and 32 hexadecimal digits, with its row. */
export function oldToken(id: number, fields: Partial<Row> = {}): { readonly token: string; readonly row: Row } {
  const token = `sk_${randomBytes(16).toString('hex')}`
  return { token, row: { id, hash: sha256(token), name: `Key ${id}`, owner: 'ada', ...fields } }
}

export function sha256(text: string): string {
  return createHash('sha256').update(text).digest('hex')
}

/** An instance that accepts these formats. */
export function accepting(formats: readonly TokenFormat[], options: Partial<LatchkeyOptions<Scope>> = {}): Latchkey<Scope> {
  return instance({ imports: { key: IMPORT_KEY, formats }, ...options })
}

/** The settings of the token for a row. */
export function terms(row: Row): { name: string; scopes: readonly Scope[]; ownerId: string } {
  return { name: row.name, scopes: ['stock:read'], ownerId: row.owner }
}

/** The counts of an import report, without zeros. */
export function outcome({ problems, ...counts }: ImportReport): { readonly [name: string]: number } {
  return Object.fromEntries(Object.entries(counts).filter(([, count]) => count > 0))
}

export { SCOPES }
