import type { AbstractHttpAdapter } from '@nestjs/core'
import { InvalidInputError } from '../../../src/errors.js'
import type { Authenticator, Latchkey } from '../../../src/instance.js'
import type { ManagementOptions as Manage } from '../../../src/management/index.js'
import type { Actor } from '../../../src/model/actor.js'
import type { MaybePromise } from '../../../src/model/json.js'
import { detached } from '../../../src/policy/option-reader.js'
import { management as onExpress } from '../express.js'
import { management as onFastify } from '../fastify.js'
import type { HttpRequest } from './http.js'

/** The options of the management API under Nest. */
export type ManagementOptions = Manage & {
  /** The whole path, such as `/admin/tokens`. The application's global prefix is not added to it. */
  readonly path: string
  /** Returns the actor who makes the request, or nothing if no one is signed in. */
  readonly actor: (request: HttpRequest) => MaybePromise<Actor | undefined | null | false>
}

/**
 * Serves the management API directly on the platform below Nest. The API reads the bodies of its requests itself.
 *
 * @throws InvalidInputError `invalid_input` if an option is unknown or invalid.
 */
export function mountManagement(adapter: AbstractHttpAdapter, tokens: Authenticator, given: ManagementOptions): void {
  const { path, actor, ...options } = detached<ManagementOptions>(Object(given), ['path', 'actor'])
  if (typeof path !== 'string' || !path.startsWith('/')) {
    throw new InvalidInputError('management.path', 'must be the full path of the API, such as /admin/tokens')
  }
  // The adapter reports an invalid authenticator by name.
  const instance = tokens as Latchkey
  const ask = typeof actor === 'function' ? (request: object) => actor(request as HttpRequest) : actor
  const type = adapter.getType()
  if (type === 'express') adapter.use(path, onExpress(instance, { ...options, actor: ask }))
  else if (type === 'fastify') adapter.getInstance().register(onFastify, { ...options, actor: ask, tokens: instance, prefix: path })
  else throw new InvalidInputError('management', `is served on Express and Fastify, not on ${type}`)
}
