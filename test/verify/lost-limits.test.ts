import { Hono } from 'hono'
import { authenticate } from 'latchkey/hono'
import { expect, it } from 'vitest'
import { instance, mint, verdict } from '../latchkey/harness.js'

class Inherited {
  readonly scopes = ['stock:read']
  get resources(): undefined {
    return undefined
  }
}

it.each<readonly [string, object]>([
  ['is undefined', { resources: undefined }],
  ['is undefined and inherited', new Inherited()],
  ['is misspelled ressources', { ressources: { warehouse: ['w1'] } }],
  ['is misspelled resource', { resource: { warehouse: ['w1'] } }],
])('owner or foreign permissions whose resources field %s cause a 503, not unlimited access', async (_, lost) => {
  const answer = lost instanceof Inherited ? lost : { scopes: ['stock:read'], ...lost }
  const tokens = instance({ owner: () => answer as never })
  const { token } = await mint(tokens, { ownerId: 'u1' })
  expect(await verdict(tokens.verify(token))).toBe('store_unavailable')
  const app = new Hono()
  app.use(authenticate(tokens, { foreign: () => Object.assign(Object.create(answer), { tokenId: 'f1', scopes: ['stock:read'], ...lost }) }))
  app.get('/', (c) => c.text('ran'))
  expect((await app.request('/', { headers: { authorization: 'Bearer of-another-issuer' } })).status).toBe(503)
})
