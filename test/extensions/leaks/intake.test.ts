import { expect, it } from 'vitest'
import { createIntake } from '../../../src/extensions/leaks/intake.js'

it('stops reading a body that does not arrive in time, and cancels it', async () => {
  let canceled = false
  const body = new ReadableStream<Uint8Array>({
    cancel: () => {
      canceled = true
    },
  })
  const request = new Request('https://api.example/leaks', { method: 'POST', body, duplex: 'half' } as RequestInit)
  const intake = createIntake(1000, 10)
  await expect(intake(request, async () => 'read')).rejects.toMatchObject({ why: 'slow' })
  await expect.poll(() => canceled).toBe(true)
  expect(await intake(new Request('https://api.example/leaks', { method: 'POST', body: 'x' }), async (bytes) => bytes.length)).toBe(1)
})

it('reads no more of a body than a small declared length allows', async () => {
  const request = new Request('https://api.example/leaks', {
    method: 'POST',
    body: 'x'.repeat(100_000),
    headers: { 'content-length': '10' },
  })
  await expect(createIntake(1_000_000)(request, async () => 'read')).rejects.toThrow('the body is too large')
})
