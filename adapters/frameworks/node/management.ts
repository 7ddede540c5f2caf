import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import { InvalidInputError } from '../../../src/errors.js'
import { admissionOf } from '../../../src/http/admission.js'
import type { Latchkey } from '../../../src/instance.js'
import { createManagement, type Management, type ManagementOptions as Options } from '../../../src/management/index.js'
import type { Actor } from '../../../src/model/actor.js'
import type { MaybePromise } from '../../../src/model/json.js'
import { answerByFetch, type WholeResponse } from './fetch.js'
import { hasBody } from './has-body.js'

/** Says who is asking: an actor, or nothing where nobody is signed in. `R` is the framework's own request or context. */
export type ActorOf<R> = (request: R) => MaybePromise<Actor | undefined | null | false>

/** The options of `management`. */
export type ManagementOptions<R> = Options & { readonly actor: ActorOf<R> }

/** Where and how a request came in, beside the framework's own object. */
export type Arrival = {
  readonly incoming: IncomingMessage | Http2ServerRequest
  readonly url: URL
  readonly mountPath: string
  readonly ip: string | undefined
  /** The body that an earlier body parser left, if one did. */
  readonly parsedBody?: unknown
}

/** Makes the API and checks that there is a way to tell who is asking. */
export function openManagement<R>(tokens: Latchkey, given: ManagementOptions<R>): Management & { readonly actor: ActorOf<R> } {
  const { actor, ...options } = Object(given) as ManagementOptions<R>
  if (typeof actor !== 'function') throw new InvalidInputError('actor', 'must be a function that says who is asking')
  return { ...createManagement(tokens, options), actor }
}

/** Answers one request by the management API. Never rejects. */
export function manage<R extends object>(
  api: Management & { readonly actor: ActorOf<R> },
  request: R,
  { incoming, url, mountPath, ip, parsedBody }: Arrival,
): Promise<WholeResponse> {
  // A parser that did not read the body, as one for forms, leaves an empty object all the same: that is not what was sent.
  const parsed = incoming.readableDidRead && hasBody(incoming) ? parsedBody : undefined
  const caller = { actor: () => api.actor(request), principal: admissionOf(request)?.principal, ip, parsedBody: parsed }
  return answerByFetch(incoming, url, (standard) => api.fetch(standard, caller, mountPath))
}
