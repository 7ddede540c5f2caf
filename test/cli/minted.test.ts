import { PassThrough } from 'node:stream'
import { expect, it } from 'vitest'
import { Lifetime } from '../../src/cli/lib/lifetime.js'
import { mint } from '../../src/cli/lib/minted.js'
import type { Session } from '../../src/cli/lib/session.js'

it('the error says which token was created if the token cannot be shown, whatever the cause is', async () => {
  const answer = (): Promise<void> => Promise.reject(Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' }))
  const lifetime = new Lifetime()
  const session = { answer, streams: { stdout: new PassThrough() }, untilShown: lifetime.untilShown.bind(lifetime) } as unknown as Session
  const minted = { token: 'acme_live_4kQ0tXb2LrVn8ZcD_secret', record: { id: '4kQ0tXb2LrVn8ZcD' } } as never
  const minting = { create: () => Promise.resolve(minted), doubt: '', sentenceOf: () => 'Created.' }
  await expect(mint(session, minting)).rejects.toMatchObject({
    exitCode: 1,
    message: 'token 4kQ0tXb2LrVn8ZcD was created, but it could not be shown (Error: ENOSPC: no space left on device, write): revoke it',
  })
})
