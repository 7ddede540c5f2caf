import * as z from 'zod'
import type { CredentialSource } from '../http/credential.js'
import { internalsOf, type Latchkey } from '../instance.js'
import type { JsonObject } from '../model/json.js'
import { operationOf, TAGS } from './operation.js'
import type { Route, Sample } from './route.js'
import { ROUTES } from './routes.js'
import * as outputs from './schemas/outputs.js'

/** An OpenAPI 3.1 document. */
export type OpenApiDocument = JsonObject

const DAY_SECONDS = 86_400
const SCHEMA_PATH = '#/components/schemas/'

/**
 * Describes the API for its mount path, from the schemas that validate its requests.
 *
 * The examples use the instance's own scopes and limits, so each one works unchanged.
 */
export function describeApi(tokens: Latchkey, mountPath: string, credential: readonly CredentialSource[]): OpenApiDocument {
  const sample: Sample = {
    scope: Object.keys(tokens.catalogue)[0] ?? '',
    expiresIn: `${Math.min(90 * DAY_SECONDS, internalsOf(tokens).settings.expiry.maxSeconds ?? Number.POSITIVE_INFINITY)}s`,
  }
  const securitySchemes = Object.fromEntries(
    credential.map((source, at) => [at === 0 ? 'token' : `token${at + 1}`, securityScheme(source)]),
  )
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of [openapiRoute(credential), ...ROUTES]) {
    const path = route.path.replace(':id', '{id}')
    paths[path] = { ...paths[path], [route.method.toLowerCase()]: operationOf(route, sample, Object.keys(securitySchemes)) }
  }
  return plain({
    openapi: '3.1.1',
    info: {
      title: 'Token management',
      version: '1',
      description:
        'Create, find, edit, rotate and revoke API tokens. The host identifies callers by its own session; only `/self` is authenticated by a token. Tokens that you cannot see are reported as not found.',
      contact: { name: 'latchkey contributors' },
      license: { name: 'MIT', identifier: 'MIT' },
    },
    // The host decides how it recognizes its users, so the document requires no security scheme.
    security: [],
    tags: Object.entries(TAGS).map(([name, description]) => ({ name, description })),
    servers: serversAt(mountPath),
    paths,
    components: { schemas: components(), securitySchemes },
  })
}

// The mount path is the only part of the document that depends on the request.
function serversAt(mountPath: string): JsonObject[] {
  return [{ url: mountPath === '' ? '/' : mountPath }]
}

/** `GET /openapi.json` */
export function openapiRoute(credential: readonly CredentialSource[]): Route {
  let document: OpenApiDocument | undefined
  return {
    access: 'actor',
    method: 'GET',
    path: '/openapi.json',
    operationId: 'getOpenApi',
    tag: 'Document',
    summary: 'Read this document',
    description: 'The document is the same for everyone who may use the API, apart from the mount path.',
    answers: [{ status: 200, description: 'OpenAPI 3.1.', schema: outputs.openapiDocument }],
    refusals: [],
    run: async ({ tokens, mountPath }) => {
      // Created once, so frequent requests do not keep the process busy.
      document ??= describeApi(tokens, mountPath, credential)
      return { status: 200, body: { ...document, servers: serversAt(mountPath) } }
    },
  }
}

function securityScheme(credential: CredentialSource): JsonObject {
  return typeof credential === 'string' ? { type: 'http', scheme: credential } : { type: 'apiKey', in: 'header', name: credential.header }
}

function components(): JsonObject {
  const registry = z.registry<{ id?: string | undefined }>()
  const bodies = ROUTES.flatMap(({ body }) => body ?? [])
  const answers = ROUTES.flatMap(({ answers }) => answers.map(({ schema }) => schema))
  for (const schema of [...bodies, ...Object.values(outputs), ...answers]) {
    const id = z.globalRegistry.get(schema)?.id
    if (id !== undefined && !registry.has(schema)) registry.add(schema, { id })
  }
  const { schemas } = z.toJSONSchema(registry, { uri: (id) => `${SCHEMA_PATH}${id}`, io: 'input' })
  return plain(Object.fromEntries(Object.entries(schemas).map(([id, schema]) => [id, withoutAddress(schema)])))
}

// Inside an OpenAPI document, a schema is identified by its place. Its own `$id` would redirect its references.
function withoutAddress({ $id: _, $schema: __, ...schema }: { readonly $id?: unknown; readonly $schema?: unknown }): object {
  return schema
}

// Removes undefined values and returns plain JSON.
function plain(value: object): JsonObject {
  return JSON.parse(JSON.stringify(value)) as JsonObject
}
