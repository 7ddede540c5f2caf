import type * as z from 'zod'
import type { Code } from '../errors.js'
import type { Latchkey } from '../instance.js'
import type { Actor } from '../model/actor.js'
import type { Principal } from '../model/principal.js'
import type { TokenRecord } from '../model/record.js'
import { tagOf } from './preconditions.js'
import { readPart } from './read-part.js'

/** What a route's handler works with. */
export type Call<Q, B> = {
  readonly tokens: Latchkey
  readonly mountPath: string
  /** The id in the path, or the empty string. */
  readonly id: string
  readonly headers: Headers
  readonly query: Q
  readonly body: B
}

/** A success. Without a body it is sent as it is, else as JSON. */
export type Reply = { readonly status: number; readonly body: unknown; readonly headers?: { readonly [name: string]: string } }

/** One kind of success, for the OpenAPI document. */
export type Answer = {
  readonly status: 200 | 201
  readonly description: string
  readonly schema: z.ZodType
  readonly headers?: readonly AnswerHeader[]
}

/** A header of an answer that callers work with. */
export type AnswerHeader = 'ETag' | 'Location'

/** What examples are made of: they have to work on the instance that they describe. */
export type Sample = { readonly scope: string; readonly ttlSeconds: number }

/** A request that works, for the OpenAPI document and the tests. */
export type Example = {
  readonly name: string
  readonly summary: string
  readonly query?: { readonly [name: string]: string | number | boolean | readonly string[] }
  readonly body?: unknown
  readonly headers?: { readonly [name: string]: string }
}

/** What every route says about itself. */
type Described<Q, B> = {
  readonly method: 'GET' | 'POST' | 'PATCH'
  /** Below the mount path, with `:id` for the token's. */
  readonly path: string
  readonly operationId: string
  readonly summary: string
  readonly description?: string
  readonly query?: z.ZodType<Q>
  readonly body?: z.ZodType<B>
  /** Must there be a body? Without one an optional body counts as `{}`. */
  readonly bodyRequired?: boolean
  readonly headers?: readonly ('If-Match' | 'Idempotency-Key')[]
  readonly answers: readonly [Answer, ...Answer[]]
  /** The codes of its own refusals; those that every route has are added. */
  readonly refusals: readonly Code[]
  readonly examples?: (sample: Sample) => readonly Example[]
}

/** A route for people, or for the holder of a token. */
export type RouteSpec<Q, B> = Described<Q, B> &
  (
    | { readonly access: 'actor'; run(call: Call<Q, B>, actor: Actor): Promise<Reply> }
    | { readonly access: 'holder'; run(call: Call<Q, B>, principal: Principal): Promise<Reply> }
  )

/** A route whose input is read from what came. */
export type Route = Described<unknown, unknown> &
  (
    | { readonly access: 'actor'; run(call: Call<unknown, unknown>, actor: Actor): Promise<Reply> }
    | { readonly access: 'holder'; run(call: Call<unknown, unknown>, principal: Principal): Promise<Reply> }
  )

/** Ties a route's schemas to its handler: the handler sees only what they let through. */
export function defineRoute<Q = undefined, B = undefined>(spec: RouteSpec<Q, B>): Route {
  const read = (call: Call<unknown, unknown>): Call<Q, B> => ({
    ...call,
    query: spec.query === undefined ? (undefined as Q) : readPart(spec.query, 'query', call.query),
    body:
      spec.body === undefined ? (undefined as B) : readPart(spec.body, 'body', call.body ?? (spec.bodyRequired === true ? undefined : {})),
  })
  if (spec.access === 'actor') return { ...spec, run: async (call: Call<unknown, unknown>, actor: Actor) => spec.run(read(call), actor) }
  return { ...spec, run: async (call: Call<unknown, unknown>, principal: Principal) => spec.run(read(call), principal) }
}

/** The answer with one token. */
export function recordReply(record: TokenRecord): Reply {
  return { status: 200, body: record, headers: { etag: tagOf(record.version) } }
}
