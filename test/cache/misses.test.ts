import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { expect, it } from 'vitest'
import { instance, mint, pause, verdict, warm } from '../latchkey/harness.js'

it('that there is no such token is believed for a moment only, also when no feed tells that it was made', async () => {
  const shared = memoryStore()
  let hidden = true
  const store = interceptStore(shared, async ({ method }, proceed) => {
    return method === 'find' && hidden ? [] : proceed()
  })
  const tokens = instance({ store })
  const { token: other } = await mint(tokens)
  hidden = false
  await warm(tokens, other)
  hidden = true
  const { token } = await mint(instance({ store: shared }))
  // The feed has told of it by now; what comes from here on is the store's own silence about it.
  await pause(100)
  expect(await verdict(tokens.verify(token))).toBe('token_unknown')
  hidden = false
  for (let tries = 0; tries < 100 && (await verdict(tokens.verify(token))) !== 'ok'; tries += 1) await pause(20)
  expect(await verdict(tokens.verify(token))).toBe('ok')
})
