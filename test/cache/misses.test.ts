import { memoryStore } from 'latchkey/stores/memory'
import { interceptStore } from 'latchkey/testing'
import { expect, it } from 'vitest'
import { instance, mint, pause, verdict, warm } from '../latchkey/harness.js'

it('remembers a missing token only briefly, even if no feed reports its creation', async () => {
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
  // The feed has reported the token by now. From here on, only the store hides it.
  await pause(100)
  expect(await verdict(tokens.verify(token))).toBe('token_unknown')
  hidden = false
  for (let tries = 0; tries < 100 && (await verdict(tokens.verify(token))) !== 'ok'; tries += 1) await pause(20)
  expect(await verdict(tokens.verify(token))).toBe('ok')
})
