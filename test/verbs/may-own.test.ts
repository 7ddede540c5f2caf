import { latchkey } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { management } from 'latchkey/web'
import { expect, it } from 'vitest'

const ADMIN = { id: 'it-admin', tenants: '*', manages: 'all' } as const

async function setUp() {
  const asked: string[] = []
  const tokens = latchkey({
    prefix: 'acme_live',
    store: memoryStore(),
    scopes: { 'tokens:rotate-self': 'x' },
    mayOwn: ({ id }, { ownerId }) => {
      asked.push(`${id} ${ownerId}`)
      return ownerId !== 'ceo'
    },
  })
  const made = await tokens.system.create({ name: 'n', scopes: ['tokens:rotate-self'], ownerId: 'ceo' })
  return { tokens, asked, ...made }
}

it("refuses a rotation if mayOwn does not let the actor name the token's owner", async () => {
  const { tokens, token, record, asked } = await setUp()
  await expect(tokens.as(ADMIN).rotate(record.id)).rejects.toMatchObject({ code: 'grant_denied', field: 'ownerId' })
  expect(asked).toEqual(['it-admin ceo'])
  expect(await tokens.verify(token)).toMatchObject({ ok: true })
})

it('lets the application, the owner and the token itself rotate without asking mayOwn', async () => {
  const { tokens, token, record, asked } = await setUp()
  const handle = management(tokens, { actor: () => undefined, mountPath: '/' })
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' }
  const answer = await handle(new Request('https://api.example/self/rotate', { method: 'POST', body: '{"overlap":"1h"}', headers }))
  expect(answer.status).toBe(201)
  const { record: next } = (await answer.json()) as { record: { id: string } }
  const { record: last } = await tokens.as({ ...ADMIN, id: 'ceo' }).rotate(next.id)
  await tokens.system.rotate(last.id)
  expect(record.ownerId).toBe('ceo')
  expect(asked).toEqual([])
})
