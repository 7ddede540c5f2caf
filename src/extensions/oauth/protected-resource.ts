import { answerJson, answerProblem } from '../../http/fetch-answer.js'
import { internalsOf, type Latchkey } from '../../instance.js'
import { address, safeAddress, someText } from '../../policy/option-kinds.js'
import { listOf, objectOf, passing, readOption } from '../../policy/option-reader.js'
import { isSafeAddress } from '../../policy/safe-address.js'
import { endpoint } from './client.js'

const WELL_KNOWN = '/.well-known/oauth-protected-resource'

/** Options of `protectedResource`. */
export type ProtectedResourceOptions = {
  /** The URL of the API, as its callers use it: `https://api.example/v1`. */
  readonly resource: string
  /** Issuers whose access tokens the API accepts. Each is an https URL (RFC 8414 §2). */
  readonly authorizationServers?: readonly string[]
  /** @default the whole catalogue */
  readonly scopes?: readonly string[]
  /** A human-readable name. */
  readonly name?: string
  readonly documentation?: string
}

/** The metadata of an API, and where it is served. */
export type ProtectedResource = {
  /** For `authenticate`'s `resourceMetadata` option. */
  readonly metadataUrl: string
  /** The path to mount `fetch` at. */
  readonly path: string
  readonly metadata: Readonly<Record<string, unknown>>
  fetch(request: Request): Promise<Response>
}

// RFC 9728 §1.2
const schema = objectOf({
  resource: passing<string>(isResource, 'must be the https URL of the API, without query or fragment'),
  authorizationServers: listOf(safeAddress()).optional(),
  scopes: listOf(someText()).optional(),
  name: someText().optional(),
  documentation: address().optional(),
})

/**
 * Protected resource metadata (RFC 9728): the challenge points refused clients to a description of what the API accepts.
 *
 * @throws InvalidInputError `invalid_input`, field `resource`: it must be an https URL without a query or fragment (§1.2)
 * @example
 * ```ts
 * const resource = protectedResource(tokens, { resource: 'https://api.example' })
 * app.use('/api', authenticate(tokens, { resourceMetadata: resource.metadataUrl }))
 * ```
 */
export function protectedResource<S extends string>(tokens: Latchkey<S>, options: ProtectedResourceOptions): ProtectedResource {
  const {
    resource,
    authorizationServers = [],
    scopes = Object.keys(tokens.catalogue),
    name,
    documentation,
  } = readOption(schema, options, 'options')
  const url = new URL(resource)
  // RFC 9728 §3.1: the well-known path goes between the host and the path; a bare "/" is left out.
  const path = WELL_KNOWN + (url.pathname === '/' ? '' : url.pathname)
  const metadata = Object.freeze({
    resource,
    ...(authorizationServers.length > 0 && { authorization_servers: authorizationServers }),
    scopes_supported: scopes,
    bearer_methods_supported: ['header'],
    ...(name !== undefined && { resource_name: name }),
    ...(documentation !== undefined && { resource_documentation: documentation }),
  })
  return {
    metadataUrl: url.origin + path,
    path,
    metadata,
    fetch: endpoint('protectedResourceMetadata', internalsOf(tokens).report, async (request) => {
      if (request.method !== 'GET' && request.method !== 'HEAD')
        return answerProblem('method_not_allowed', 'use GET', { allow: 'GET, HEAD' })
      return answerJson(200, metadata)
    }),
  }
}

function isResource(resource: unknown): boolean {
  if (typeof resource !== 'string' || !isSafeAddress(resource)) return false
  const { hash, search } = new URL(resource)
  return hash === '' && search === '' && !resource.includes('#')
}
