import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { getRequestListener } from '@hono/node-server'
import { Validator } from '@seriousme/openapi-schema-validator'
import { Ajv2020 } from 'ajv/dist/2020.js'
import addFormats from 'ajv-formats'
import { OpenAPIClientAxios } from 'openapi-client-axios'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { internalsOf } from '../../src/instance.js'
import { createManagement } from '../../src/management/index.js'
import { openapiRoute } from '../../src/management/openapi.js'
import { readManagementOptions } from '../../src/management/options.js'
import { ROUTES } from '../../src/management/routes.js'
import { newAllowance } from '../../src/store/deadline.js'
import { type Answered, admin, bearer, type Harness, harness, MOUNT, superadmin } from './support.js'

type Example = { readonly value: unknown }
type Parameter = { readonly name: string; readonly in: string; readonly examples?: { readonly [name: string]: Example } }
type Operation = {
  readonly operationId: string
  readonly parameters: readonly Parameter[]
  readonly security?: unknown
  readonly requestBody?: { readonly content: { readonly [type: string]: { readonly examples?: { readonly [name: string]: Example } } } }
  readonly responses: { readonly [status: string]: { readonly content: { readonly [type: string]: unknown } } }
}
type Document = { readonly paths: { readonly [path: string]: { readonly [method: string]: Operation } } }

const read = async (h: Harness): Promise<Document> => (await h.call('GET', '/openapi.json', { actor: admin })).body

const operationsOf = (document: Document): readonly { readonly path: string; readonly method: string; readonly operation: Operation }[] =>
  Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]) => ({ path, method: method.toUpperCase(), operation })),
  )

/** Checks a response against the document. */
function createCheck(document: Document): (path: string, method: string, answer: Answered) => void {
  const ajv = new Ajv2020({ strict: false, allErrors: true })
  addFormats.default(ajv)
  ajv.addSchema(document, 'document')
  const escaped = (step: string): string => step.replace(/~/g, '~0').replace(/\//g, '~1')
  return (path, method, answer) => {
    const type = answer.headers.get('content-type')?.split(';')[0] ?? ''
    const steps = ['paths', path, method.toLowerCase(), 'responses', String(answer.status), 'content', type, 'schema']
    const validate = ajv.getSchema(`document#/${steps.map(escaped).map(encodeURIComponent).join('/')}`)
    expect(validate, `${method} ${path} does not document ${answer.status} ${type}: ${answer.text}`).toBeDefined()
    expect(validate?.(answer.body), `${answer.text} ${JSON.stringify(validate?.errors)}`).toBe(true)
  }
}

/** Sends an operation's example after creating the token that its path or its security requires. */
async function send(h: Harness, path: string, method: string, operation: Operation, name: string | undefined): Promise<Answered> {
  const { id, token } = await h.create(admin, { scopes: ['tokens:rotate-self'], expiresIn: 30 })
  const given = (where: string): [string, unknown][] =>
    operation.parameters
      .filter((each) => each.in === where)
      .flatMap((each) => {
        const example = name === undefined ? undefined : each.examples?.[name]
        return example === undefined ? [] : [[each.name, example.value] as [string, unknown]]
      })
  const query = given('query').flatMap(([key, value]) => [value].flat().map((one): [string, string] => [key, String(one)]))
  const body = name === undefined ? undefined : operation.requestBody?.content['application/json']?.examples?.[name]?.value
  const headers = {
    ...Object.fromEntries(given('header').map(([key, value]) => [key, String(value)])),
    ...(operation.security !== undefined && bearer(token)),
  }
  const search = query.length === 0 ? '' : `?${new URLSearchParams(query)}`
  return h.call(method, `${path.replace('{id}', id)}${search}`, {
    headers,
    ...(operation.security === undefined && { actor: superadmin }),
    body,
  })
}

const namesOf = ({ parameters, requestBody }: Operation): readonly (string | undefined)[] => {
  const names = [
    ...parameters.flatMap((each) => Object.keys(each.examples ?? {})),
    ...Object.keys(requestBody?.content['application/json']?.examples ?? {}),
  ]
  return names.length === 0 ? [undefined] : [...new Set(names)]
}

describe('the OpenAPI document', () => {
  it('the document is valid OpenAPI 3.1', async () => {
    const document = await read(harness())
    expect(await new Validator().validate(structuredClone(document))).toEqual({ valid: true })
    expect(document).toMatchObject({ openapi: '3.1.1', servers: [{ url: MOUNT }] })
    const ids = operationsOf(document).map(({ operation }) => operation.operationId)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('the OpenAPI document lists every route and nothing else', async () => {
    const listed = operationsOf(await read(harness())).map(({ path, method }) => `${method} ${path.replace('{id}', ':id')}`)
    expect(listed.sort()).toEqual([...ROUTES.map(({ method, path }) => `${method} ${path}`), 'GET /openapi.json'].sort())
  })

  it('the OpenAPI document is the same through openapi() and through the route', async () => {
    const h = harness()
    expect(await createManagement(h.tokens).openapi(MOUNT)).toEqual(await read(h))
  })

  it.each([{}, { expiry: { required: true, max: 60 } }])(
    'every example in the OpenAPI document succeeds with a response that the document describes (%j)',
    async (options) => {
      const h = harness(options)
      const document = await read(h)
      const check = createCheck(document)
      let sent = 0
      for (const { path, method, operation } of operationsOf(document)) {
        for (const name of namesOf(operation)) {
          const answer = await send(h, path, method, operation, name)
          expect(answer.status, `${method} ${path} ${name}: ${answer.text}`).toBeLessThan(300)
          check(path, method, answer)
          sent += 1
        }
      }
      expect(sent).toBeGreaterThanOrEqual(ROUTES.length + 1)
    },
  )

  it('the OpenAPI document is generated once, however often and wherever it is requested', async () => {
    const h = await harness()
    const route = openapiRoute(['bearer'])
    const documentAt = async (mountPath: string) => {
      const settings = readManagementOptions({}, () => undefined, { deadlineMs: 2000, monotonic: () => 0 })
      const call = {
        tokens: h.tokens,
        inside: internalsOf(h.tokens),
        settings,
        allowance: newAllowance(internalsOf(h.tokens)),
        mountPath,
        ip: undefined,
        id: '',
        headers: new Headers(),
        query: {},
        body: {},
      }
      return (await route.run(call, admin as never)).body as { readonly paths: object; readonly servers: unknown }
    }
    const [first, second] = [await documentAt('/a'), await documentAt('/b')]
    expect(second.paths).toBe(first.paths)
    expect([first.servers, second.servers]).toEqual([[{ url: '/a' }], [{ url: '/b' }]])
  })

  it('the OpenAPI document also describes the refusals', async () => {
    const h = harness()
    const document = await read(h)
    const check = createCheck(document)
    for (const { path, method, operation } of operationsOf(document)) {
      const at = path.replace('{id}', 'AAAAAAAAAAAAAAAA')
      check(path, method, await h.call(method, at))
      check(path, method, await h.call(method, at, { headers: bearer('a b'), actor: null }))
      check(
        path,
        method,
        await h.call(method, `${at}?nonsense=1`, {
          actor: admin,
          headers: operation.security === undefined ? {} : bearer((await h.create(admin)).token),
        }),
      )
      check(path, method, await h.call(method, at, { actor: () => Promise.reject(undefined) }))
      if (path.includes('{id}')) check(path, method, await h.call(method, at, { actor: admin, body: method === 'GET' ? undefined : {} }))
      if (method === 'GET') continue
      check(path, method, await h.call(method, at, { actor: admin, headers: { origin: 'https://evil.test' } }))
      check(path, method, await h.call(method, at, { actor: admin, headers: { 'content-type': 'text/plain' } }))
      check(path, method, await h.call(method, at, { actor: admin, raw: 'x'.repeat(70_000) }))
    }
    const { id } = await h.create(admin)
    for (const path of ['', '/activate', '/deactivate']) {
      const method = path === '' ? 'PATCH' : 'POST'
      check(`/{id}${path}`, method, await h.call(method, `/${id}${path}`, { actor: admin, headers: { 'if-match': '"9"' }, body: {} }))
    }
    await h.call('POST', `/${id}/revoke`, { actor: admin })
    check('/{id}/rotate', 'POST', await h.call('POST', `/${id}/rotate`, { actor: admin }))
    check('/', 'POST', await h.call('POST', '/', { actor: admin, body: { name: 'n', scopes: [] } }))
  })

  it('the OpenAPI document names the header that carries tokens', async () => {
    const { call } = harness({}, { credential: { header: 'x-api-key' } })
    const { body } = await call('GET', '/openapi.json', { actor: admin })
    expect(body.components.securitySchemes).toEqual({ token: { type: 'apiKey', in: 'header', name: 'x-api-key' } })
  })
})

describe('a client generated from the OpenAPI document', () => {
  const h = harness()
  const api = createManagement(h.tokens)
  const listener = getRequestListener((request) =>
    api.fetch(request, { actor: request.headers.get('x-session') === 'ada' ? admin : undefined }, MOUNT),
  )
  const server = createServer(listener)
  let base = ''
  beforeAll(async () => {
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
    base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  })
  afterAll(async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
    await h.tokens.close()
  })

  it('a generated client takes a token through its whole life', async () => {
    const fetched = await fetch(`${base}${MOUNT}/openapi.json`, { headers: { 'x-session': 'ada' } })
    const connect = async (headers: { readonly [name: string]: string }) =>
      new OpenAPIClientAxios({
        definition: (await fetched.clone().json()) as never,
        withServer: { url: `${base}${MOUNT}` },
        axiosConfigDefaults: {
          headers: { 'content-type': 'application/json', ...headers }, // OpenAPI's default for lists (`style: form, explode: true`) differs from axios's.
          paramsSerializer: { indexes: null },
          validateStatus: () => true,
        },
      }).init()
    const person = await connect({ 'x-session': 'ada' })
    const run = async (name: string, params?: unknown, body?: unknown) => {
      const operation = person[name]
      if (operation === undefined) throw new Error(`the document has no ${name}`)
      const { status, data, headers } = await operation(params as never, body as never)
      return { status, data, etag: headers.etag as string | undefined }
    }

    const scopes = await run('listScopes')
    expect(scopes.data).toMatchObject({ items: expect.arrayContaining([{ name: 'billing:read', description: 'See invoices' }]) })
    const made = await run('createToken', null, { name: 'From a client', tenantId: 'acme', scopes: ['billing:read', 'tokens:rotate-self'] })
    expect(made.status).toBe(201)
    const { token, record } = made.data
    const { id } = record
    expect((await run('listTokens', { name: 'client', status: ['active', 'inactive'], limit: 5 })).data).toMatchObject({ items: [{ id }] })
    const stale = made.etag
    const edited = await run('updateToken', { id, 'If-Match': stale }, { name: 'Renamed' })
    expect([edited.status, edited.etag]).toEqual([200, '"2"'])
    expect((await run('updateToken', { id, 'If-Match': stale }, { name: 'Too late' })).status).toBe(412)
    expect((await run('deactivateToken', id, {})).data).toMatchObject({ status: 'inactive' })
    expect((await run('activateToken', id, {})).data).toMatchObject({ status: 'active' })

    const holder = await connect({ authorization: `Bearer ${token}` })
    expect((await holder.getSelf?.())?.data).toMatchObject({ record: { id, name: 'Renamed' } })
    const rotated = await holder.rotateSelf?.({}, { overlap: 60 })
    expect(rotated?.status).toBe(201)
    const successor = await connect({ authorization: `Bearer ${rotated?.data.token}` })
    expect((await successor.getSelf?.())?.data).toMatchObject({ record: { replacesId: id } })

    const next = await run('rotateToken', rotated?.data.record.id, {})
    expect(next.status).toBe(201)
    const last = next.data.record.id
    expect((await run('revokeToken', last, { reason: 'over' })).data).toMatchObject({ status: 'revoked', revokedReason: 'over' })
    expect((await run('getToken', last)).data).toMatchObject({ status: 'revoked' })
    expect((await run('getTokenUsage', id)).data).toMatchObject({ total: 2 })
    expect((await run('listTokenEvents', id)).data).toMatchObject({
      items: expect.arrayContaining([expect.objectContaining({ action: 'token.rotated' })]),
    })
    expect((await run('listEvents', { action: ['token.revoked'] })).data).toMatchObject({ items: [{ tokenId: last }] })
    expect((await run('revokeAllTokens', null, { tenantId: 'acme' })).data).toEqual({ count: 1 })
    expect((await holder.getSelf?.())?.status).toBe(401)
    expect((await run('getToken', 'AAAAAAAAAAAAAAAA')).status).toBe(404)
  })
})
