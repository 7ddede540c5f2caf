import { expect, it } from 'vitest'
import { ROUTES } from '../../src/management/routes.js'
import { admin, bearer, harness } from './support.js'

it('a GET that accepts no JSON is refused with 406, on every route', async () => {
  const { call, create } = harness()
  const { id, token } = await create(admin)
  const paths = ROUTES.filter(({ method, access }) => method === 'GET' && access === 'actor').map(({ path }) => path.replace(':id', id))
  expect(paths).toContain('/events')
  for (const path of [...paths, '/openapi.json']) {
    const ask = (accept: string, actor: unknown = admin) => call('GET', path, { actor, headers: { accept } })
    expect(await ask('text/csv'), path).toMatchObject({ status: 406, body: { code: 'not_acceptable' } })
    expect((await ask('text/csv, application/json;q=0.1')).status, path).not.toBe(406)
  }
  const holder = (accept: string) => call('GET', '/self', { headers: { ...bearer(token), accept } })
  expect([(await holder('text/csv')).status, (await holder('*/*')).status]).toEqual([406, 200])
})

it('an unauthenticated caller gets 401, not 406, whatever it accepts', async () => {
  const { call } = harness()
  for (const path of ['/events', '/nowhere', '/openapi.json'])
    expect((await call('GET', path, { actor: null, headers: { accept: 'text/csv' } })).status).toBe(401)
  expect((await call('GET', '/self', { headers: { accept: 'text/csv' } })).status).toBe(401)
})

it('a change is made whatever media types its client accepts', async () => {
  const { call, create } = harness()
  const { id } = await create(admin)
  const { status, body } = await call('POST', `/${id}/revoke`, { actor: admin, headers: { accept: 'text/csv' } })
  expect([status, body]).toMatchObject([200, { status: 'revoked' }])
})
