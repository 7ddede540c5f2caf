import { describe, expect, it } from 'vitest'
import { ROUTES } from '../../src/management/routes.js'
import { admin, bearer, harness } from './support.js'

describe('a token pasted into the wrong place', () => {
  it('a token pasted into the wrong place appears in no error response, event or record', async () => {
    const h = harness()
    const { id, token } = await h.create(admin, { scopes: ['tokens:rotate-self'] })
    const secret = token.slice('acme_live_'.length + 17)
    const fields = [
      'tenantId',
      'ownerId',
      'expiresAt',
      'notBefore',
      'expiresIn',
      'allowedIps',
      'rotateEverySeconds',
      'overlap',
      'all',
      token,
    ]
    const texts: string[] = []
    const note = async (method: string, path: string, ask: object): Promise<void> => {
      const answer = await h.call(method, path, ask)
      if (answer.status < 400) return
      texts.push(answer.text, JSON.stringify([...answer.headers]))
    }
    for (const { method, path } of ROUTES) {
      const at = path.replace(':id', id)
      for (const actor of [admin, undefined]) {
        await note(method, at, { actor, headers: bearer(token) })
        await note(method, at, { actor, headers: { 'if-match': token, 'idempotency-key': `${token} `, 'content-type': token } })
        await note(method, path.replace(':id', token), { actor })
        await note(method, `${at}?cursor=${token}&limit=${token}&status=${token}&from=${token}&${token}=1`, { actor })
        if (method === 'GET') continue
        await note(method, at, { actor, raw: `{"name":"${token}"` })
        await note(method, at, { actor, raw: `{"a":1,"a":"${token}"}` })
        for (const field of fields) {
          await note(method, at, { actor, body: { name: 7, scopes: [token], [field]: token } })
          await note(method, at, { actor, body: { name: 'n', tenantId: 'acme', scopes: [], [field]: [token] } })
        }
      }
    }
    texts.push(JSON.stringify([await h.tokens.system.events(), await h.tokens.system.list()]))
    expect(texts.length).toBeGreaterThan(200)
    // Any twelve consecutive characters of the secret.
    const pieces = Array.from({ length: secret.length - 11 }, (_, at) => secret.slice(at, at + 12))
    expect(texts.filter((text) => pieces.some((piece) => text.includes(piece)))).toEqual([])
  })
})
