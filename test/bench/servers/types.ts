import type { RequestListener } from 'node:http'
import type { Latchkey } from 'latchkey'
import type { FloorRecord } from '../floor.js'

/** The credentials and records that the variants of a framework use. */
export type Credentials = {
  readonly tokens: Latchkey<'stock:read'>
  readonly records: ReadonlyMap<string, FloorRecord>
  readonly texts: readonly string[]
  /** A JSON web token with HMAC, the cheapest kind. */
  readonly jwt: string
  readonly jwtSecret: string
}

/** An API with one route, `GET /api/stock`, behind one kind of protection. */
export type Served = { readonly name: string; readonly listener: RequestListener; readonly credential?: string }
