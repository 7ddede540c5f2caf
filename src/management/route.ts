import type * as z from 'zod'
import type { TokenHolder } from '../cache/standing.js'
import type { Code } from '../errors.js'
import type { Internals, Latchkey } from '../instance.js'
import type { TokenRecord } from '../model/record.js'
import type { Allowance } from '../store/deadline.js'
import type { Asking } from './access.js'
import type { ManagementSettings } from './options.js'
import { tagOf } from './preconditions.js'

/** Context of a route's handler. Query and body are not validated here: the verb validates them once. */
export type Call = {
  readonly tokens: Latchkey
  readonly inside: Internals
  readonly settings: ManagementSettings
  /** The remaining deadline of the request. */
  readonly allowance: Allowance
  readonly mountPath: string
  /** The client's address, if the adapter knows it. */
  readonly ip: string | undefined
  /** The ID in the path, or the empty string. */
  readonly id: string
  readonly headers: Headers
  readonly query: { readonly [name: string]: unknown }
  readonly body: unknown
}

/** A successful response. Without a body it is sent as is, otherwise as JSON. */
export type Reply = { readonly status: number; readonly body: unknown; readonly headers?: { readonly [name: string]: string } }

/** One kind of successful response, for the OpenAPI document. */
export type Answer = {
  readonly status: 200 | 201
  readonly description: string
  readonly schema: z.ZodType
  readonly headers?: readonly AnswerHeader[]
}

/** A response header that callers use. */
export type AnswerHeader = 'ETag' | 'Location'

/** Values for examples, which must work on the instance that they describe. */
export type Sample = { readonly scope: string; readonly expiresIn: string }

/** A working request, for the OpenAPI document and the tests. */
export type Example = {
  readonly name: string
  readonly summary: string
  readonly query?: { readonly [name: string]: string | number | boolean | readonly string[] }
  readonly body?: unknown
  readonly headers?: { readonly [name: string]: string }
}

/** The groups of routes. */
export type Tag = 'Tokens' | 'Activity' | 'Permissions' | 'Self' | 'Document'

/** Description of a route. Its schemas are those of the verbs. */
type Described = {
  readonly method: 'GET' | 'POST' | 'PATCH'
  /** The path below the mount path, with `:id` for the token's ID. */
  readonly path: string
  readonly operationId: string
  readonly tag: Tag
  readonly summary: string
  readonly description?: string
  readonly query?: z.ZodType
  readonly body?: z.ZodType
  /** Whether a body is required. A missing optional body counts as `{}`. */
  readonly bodyRequired?: boolean
  readonly headers?: readonly ('If-Match' | 'Idempotency-Key')[]
  readonly answers: readonly [Answer, ...Answer[]]
  /** The codes of the route's own refusals. Those common to all routes are added. */
  readonly refusals: readonly Code[]
  readonly examples?: (sample: Sample) => readonly Example[]
}

/** A route for people, or for the holder of a token. */
export type Route = Described &
  (
    | { readonly access: 'actor'; run(call: Call, asking: Asking): Promise<Reply> }
    | { readonly access: 'holder'; run(call: Call, token: TokenHolder): Promise<Reply> }
  )

/** Marks input for a verb that validates it. A more precise type here would claim a check that has not happened. */
export function asInput<T>(given: unknown): T {
  return given as T
}

/** Creates the response with one token. */
export function recordReply(record: TokenRecord): Reply {
  return { status: 200, body: record, headers: { etag: tagOf(record.version) } }
}
