import type * as z from 'zod'
import type { Code } from '../errors.js'
import type { Internals, Latchkey } from '../instance.js'
import type { TokenRecord } from '../model/record.js'
import type { Asking, HolderPrincipal } from './access.js'
import type { ManagementSettings } from './options.js'
import { tagOf } from './preconditions.js'

/** Context of a route's handler. Query and body are unread: the verb reads them, once. */
export type Call = {
  readonly tokens: Latchkey
  readonly inside: Internals
  readonly settings: ManagementSettings
  readonly mountPath: string
  /** The id in the path, or the empty string. */
  readonly id: string
  readonly headers: Headers
  readonly query: { readonly [name: string]: unknown }
  readonly body: unknown
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

/** Values for examples, which have to work on the instance that they describe. */
export type Sample = { readonly scope: string; readonly expiresIn: string }

/** A request that works, for the OpenAPI document and the tests. */
export type Example = {
  readonly name: string
  readonly summary: string
  readonly query?: { readonly [name: string]: string | number | boolean | readonly string[] }
  readonly body?: unknown
  readonly headers?: { readonly [name: string]: string }
}

/** The groups that routes stand in. */
export type Tag = 'Tokens' | 'Activity' | 'Permissions' | 'Self' | 'Document'

/** Description of a route. Its schemas are those of the verbs. */
type Described = {
  readonly method: 'GET' | 'POST' | 'PATCH'
  /** Below the mount path, with `:id` for the token's. */
  readonly path: string
  readonly operationId: string
  readonly tag: Tag
  readonly summary: string
  readonly description?: string
  readonly query?: z.ZodType
  readonly body?: z.ZodType
  /** Must there be a body? Without one an optional body counts as `{}`. */
  readonly bodyRequired?: boolean
  readonly headers?: readonly ('If-Match' | 'Idempotency-Key')[]
  readonly answers: readonly [Answer, ...Answer[]]
  /** The codes of its own refusals; those that every route has are added. */
  readonly refusals: readonly Code[]
  readonly examples?: (sample: Sample) => readonly Example[]
}

/** A route for people, or for the holder of a token. */
export type Route = Described &
  (
    | { readonly access: 'actor'; run(call: Call, asking: Asking): Promise<Reply> }
    | { readonly access: 'holder'; run(call: Call, principal: HolderPrincipal): Promise<Reply> }
  )

/** Unread input for a verb. The verb checks it, so a type here would promise something nobody has checked. */
export function asInput<T>(given: unknown): T {
  return given as T
}

/** The answer with one token. */
export function recordReply(record: TokenRecord): Reply {
  return { status: 200, body: record, headers: { etag: tagOf(record.version) } }
}
