import { latchkey } from 'latchkey'
import { exchange, generateSigningKey } from 'latchkey/jwt'
import { memoryStore } from 'latchkey/stores/memory'
import { expect, it } from 'vitest'
import { ACCESS_TOKEN, GRANT, ISSUER } from './support.js'

it.each([
  ['NaN', Number.NaN],
  ['nothing', undefined],
  ['null', null],
  ['a string', 'now'],
  ['infinity', Number.POSITIVE_INFINITY],
  ['a time before 1970', -1],
  ['a time after the year 9999', 8.64e15],
])('exchange signs nothing while its clock returns %s, and reports it', async (_, time) => {
  const places: string[] = []
  const onError = ({ where }: { where: string }): void => void places.push(where)
  const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes: { a: 'b' }, logger: false, onError })
  const { token } = await tokens.system.create({ name: 'ERP', scopes: ['a'], expiresIn: '1h' })
  const buy = exchange(tokens, { issuer: ISSUER, audiences: ['stock'], keys: [await generateSigningKey()], clock: () => time as number })
  const body = new URLSearchParams({ grant_type: GRANT, subject_token: token, subject_token_type: ACCESS_TOKEN })
  const response = await buy(new Request(ISSUER, { method: 'POST', body }))
  expect(response.status).toBe(503)
  expect(response.headers.get('retry-after')).toBe('1')
  expect(await response.text()).not.toContain('access_token')
  expect(places).toEqual(['endpoint'])
  await tokens.close()
})
