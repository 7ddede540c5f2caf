import { createClient } from 'latchkey/client'

// A job with nothing left to do but wait for a token whose first save fails.
const tokenOf = (id: string): string => `acme_live_${id}_${'x'.repeat(49)}`
const [old, next] = ['0'.repeat(16), '1'.repeat(16)]
const said: string[] = []

const client = createClient({
  manage: 'https://api.test/tokens',
  token: tokenOf(old),
  save: ({ token }) => {
    if (token === tokenOf(old)) return
    said.push(said.length === 0 ? 'failed' : 'saved')
    if (said.length === 1) throw new Error('503')
  },
  fetch: async (_, init) =>
    init?.method === 'POST'
      ? Response.json({ record: { id: next }, token: tokenOf(next) })
      : Response.json({ record: { id: old }, effectiveScopes: ['tokens:rotate-self'] }),
  onError: () => undefined,
})

await client.rotate().catch(() => undefined)
await client.settled()
console.log([...said, 'settled'].join(', '))
