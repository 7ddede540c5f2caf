import type { IncomingMessage } from 'node:http'
import type { Http2ServerRequest } from 'node:http2'
import { admissionOf } from '../../../src/http/admission.js'
import { undoUse } from '../../../src/http/use.js'
import type { Latchkey } from '../../../src/instance.js'
import type { Arriving } from '../../../src/management/access.js'
import { checkActor } from '../../../src/management/check-actor.js'
import { createManagement, type Management, type ManagementOptions as Options } from '../../../src/management/index.js'
import type { Actor } from '../../../src/model/actor.js'
import type { MaybePromise } from '../../../src/model/json.js'
import { detached } from '../../../src/policy/option-reader.js'
import { answerByFetch, type WholeResponse } from './fetch.js'
import { hasBody } from './has-body.js'

/** Returns the actor who makes the request, or nothing if no one is signed in. `R` is the framework's own request or context. */
export type ActorOf<R> = (request: R) => MaybePromise<Actor | undefined | null | false>

/** The options of `management`. */
export type ManagementOptions<R> = Options & { readonly actor: ActorOf<R> }

/** How a request arrived, in addition to the framework's own object, as far as the host's proxy settings allow. */
export type Arrival = {
  readonly url: URL
  readonly mountPath: string
  readonly mountName: Arriving['mountName']
  /** The original request target. A router may since have normalized `/x//y` to `/x/y`. */
  readonly target: string
  readonly ip: string | undefined
  /** The body that an earlier body parser left, if any. */
  readonly parsedBody?: unknown
}

/** Creates the API and checks that there is a way to identify the caller. */
export function openManagement<R>(tokens: Latchkey, given: ManagementOptions<R>): Management & { readonly actor: ActorOf<R> } {
  checkActor(tokens, given)
  const { actor, ...options } = detached(given, ['actor'])
  return { ...createManagement(tokens, options), actor }
}

/** Answers one request to the management API. Never rejects, even if the host's proxy settings throw. */
export function manage<R extends object>(
  api: Management & { readonly actor: ActorOf<R> },
  request: R,
  incoming: IncomingMessage | Http2ServerRequest,
  arrive: () => Arrival,
): Promise<WholeResponse> {
  const { principal, use } = admissionOf(request) ?? {}
  let arrival: Arrival
  try {
    arrival = arrive()
  } catch (error) {
    undoUse(use)
    return answerByFetch(incoming, new URL('http://localhost'), async (standard) => api.unidentified(error, standard))
  }
  const { url, mountPath, mountName, target, ip, parsedBody } = arrival
  // A parser that did not read the body, such as one for forms, still leaves an empty object, which does not match the body that was sent.
  const wasRead = incoming.readableDidRead && hasBody(incoming)
  const parsed = wasRead ? parsedBody : undefined
  const caller = { actor: () => api.actor(request), principal, use, ip, mountName, target, parsedBody: parsed, bodyUnread: !wasRead }
  return answerByFetch(incoming, url, (standard) => api.fetch(standard, caller, mountPath))
}
