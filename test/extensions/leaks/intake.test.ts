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

it('holds 1,000 small bodies that do not end, and stops reading the oldest one for each further one', async () => {
  const intake = createIntake(1_000_000)
  const stopped: unknown[] = []
  const unfinished = (at: number): Request =>
    new Request('https://api.example/leaks', {
      method: 'POST',
      body: new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(new Uint8Array(10)) }),
      headers: { 'content-length': '20', 'x-number': String(at) },
      duplex: 'half',
    } as RequestInit)
  for (let at = 0; at < 1_003; at += 1) void intake(unfinished(at), async () => 'read').catch(({ why }) => stopped.push([at, why]))
  const whole = new Request('https://api.example/leaks', { method: 'POST', body: 'x', headers: { 'content-length': '1' } })
  expect(await intake(whole, async (bytes) => bytes.length)).toBe(1)
  expect(stopped).toEqual([0, 1, 2, 3].map((at) => [at, 'busy']))
})
