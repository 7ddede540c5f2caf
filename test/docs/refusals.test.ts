import { readFileSync } from 'node:fs'
import { latchkey, type Minted } from 'latchkey'
import { memoryStore } from 'latchkey/stores/memory'
import { authenticate, requireScopes } from 'latchkey/web'
import { expect, it } from 'vitest'

/** The rows of the tutorial's table: the situation, the status, the header and the body. */
const rows = (readFileSync('docs/getting-started.md', 'utf8').split('## What the caller sees')[1] ?? '')
  .split('\n')
  .filter((line) => line.startsWith('| the '))
  .map((line) => line.split('|').map((cell) => cell.trim()))

it("the tutorial's table of refusals states the status, the header and the code of each response", async () => {
  let now = Date.now()
  const scopes = { 'inventory:read': 'See stock', 'inventory:write': 'Change stock' }
  const tokens = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes, clock: () => now })
  const mint = (terms: object = {}): Promise<Minted> => tokens.system.create({ name: 'ERP', scopes: ['inventory:read'], ...terms })
  const [good, revoked, inactive] = [await mint(), await mint(), await mint()]
  const [expired, early, elsewhere] = [
    await mint({ expiresIn: '1h' }),
    await mint({ notBefore: new Date(now + 86_400_000) }),
    await mint({ allowedIps: ['192.0.2.1'] }),
  ]
  await tokens.system.revoke(revoked.record.id)
  await tokens.system.deactivate(inactive.record.id)
  now += 7_200_000

  const unknown = latchkey({ prefix: 'acme_live', store: memoryStore(), scopes })
  const { token: forged } = await unknown.system.create({ name: 'ERP', scopes: [] })
  const bearer = (made: Minted): string => `Bearer ${made.token}`
  /** The credentials of each row, by the beginning of its situation. */
  const situations: Readonly<Record<string, readonly (string | undefined)[]>> = {
    'the request has no token': [undefined],
    'the header is not': ['Bearer ', `Bearer "${good.token}"`, `Bearer ${bearer(good)}`],
    'the token is malformed': [bearer(good).slice(0, -1), `Bearer ${forged}`],
    'the token is revoked': [bearer(revoked), bearer(expired), bearer(inactive), bearer(early)],
    'the token has `allowedIps`': [bearer(elsewhere)],
    'the token lacks a scope': [bearer(good)],
  }
  const told: string[] = []
  for (const [situation, credentials] of Object.entries(situations)) {
    const [, text = '', status, header = '', body = ''] = rows.find(([, text = '']) => text.startsWith(situation)) ?? []
    told.push(text)
    for (const authorization of credentials) {
      const request = new Request('http://localhost/', authorization === undefined ? {} : { headers: { authorization } })
      const admitted = await authenticate(tokens, request, { ip: '203.0.113.7' })
      const response = admitted.response ?? (await requireScopes('inventory:write')(request)) ?? Response.json({})
      const { code } = (await response.json()) as { readonly code?: string }
      const challenge = response.headers.get('www-authenticate')
      const error = /error="(\w+)"/.exec(challenge ?? '')?.[1] ?? (challenge === null ? 'no such header' : 'none')
      expect([text, String(response.status), header.includes(error), body.includes(`\`${code}\``)]).toEqual([text, status, true, true])
      if (header.includes('scope=')) expect(challenge).toContain('scope="inventory:write"')
    }
  }
  // Only the last row, an outage, needs more than a credential.
  expect(rows.map(([, text]) => text).slice(0, -1)).toEqual(told)
  await Promise.all([tokens.close(), unknown.close()])
})
