import { describe, expect, it } from 'vitest'
import { createIntake, type Intake } from '../../../src/extensions/leaks/intake.js'

it('stops reading a body that does not arrive in time, and cancels it', async () => {
  let canceled = false
  const body = new ReadableStream<Uint8Array>({
    cancel: () => {
      canceled = true
    },
  })
  const request = new Request('https://api.example/leaks', { method: 'POST', body, duplex: 'half' } as RequestInit)
  const intake = createIntake(1000, 10)
  await expect(intake(request, undefined, async () => 'read')).rejects.toMatchObject({ why: 'slow' })
  await expect.poll(() => canceled).toBe(true)
  expect(
    await intake(new Request('https://api.example/leaks', { method: 'POST', body: 'x' }), undefined, async (bytes) => bytes.length),
  ).toBe(1)
})

it('reads no more of a body than a small declared length allows', async () => {
  const request = new Request('https://api.example/leaks', {
    method: 'POST',
    body: 'x'.repeat(100_000),
    headers: { 'content-length': '10' },
  })
  await expect(createIntake(1_000_000)(request, undefined, async () => 'read')).rejects.toThrow('the body is too large')
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
  for (let at = 0; at < 1_003; at += 1)
    void intake(unfinished(at), undefined, async () => 'read').catch(({ why }) => stopped.push([at, why]))
  const whole = new Request('https://api.example/leaks', { method: 'POST', body: 'x', headers: { 'content-length': '1' } })
  expect(await intake(whole, undefined, async (bytes) => bytes.length)).toBe(1)
  expect(stopped).toEqual([0, 1, 2, 3].map((at) => [at, 'busy']))
})

describe('large reports', () => {
  const settled = () => new Promise((resolve) => setTimeout(resolve, 20))

  /** Sends reports that do not end, and lists those that were not read. */
  function flood(intake: Intake) {
    const refused: string[] = []
    const stall = (name: string, ip: string | undefined): void => {
      const body = new ReadableStream<Uint8Array>({ start: (controller) => controller.enqueue(new Uint8Array(10)) })
      const request = new Request('https://api.example/leaks', { method: 'POST', body, duplex: 'half' } as RequestInit)
      void intake(request, ip, async () => 'read').catch(({ why }) => refused.push(`${name} ${why}`))
    }
    return { refused, stall }
  }
  const whole = () => new Request('https://api.example/leaks', { method: 'POST', body: 'x' })
  const size = async (bytes: Uint8Array) => bytes.length

  it.each([
    ['address', () => '203.0.113.7', '203.0.113.8'],
    ['IPv6 site', (at: number) => `2001:db8:1:${at}::1`, '2001:db8:2::1'],
  ])('a report takes the place of one from the %s that has the most', async (_, ipOf, other) => {
    const intake = createIntake(1_000_000)
    const { refused, stall } = flood(intake)
    for (let at = 0; at < 9; at += 1) stall(String(at), ipOf(at))
    await settled()
    expect(refused).toEqual(['8 busy'])
    expect(await intake(whole(), other, size)).toBe(1)
    expect(refused).toEqual(['8 busy', '0 busy'])
  })

  it('a flood from one address does not take the places of others', async () => {
    const intake = createIntake(1_000_000)
    const { refused, stall } = flood(intake)
    for (let at = 0; at < 8; at += 1) stall(`scanner ${at}`, '203.0.113.8')
    for (let at = 0; at < 20; at += 1) stall(`stranger ${at}`, '203.0.113.7')
    await settled()
    expect(refused.filter((line) => line.startsWith('scanner')).sort()).toEqual([0, 1, 2, 3].map((at) => `scanner ${at} busy`))
    expect(refused).toHaveLength(20)
  })

  it('a report that has been arriving for two seconds gives way, whoever sends it', async () => {
    const intake = createIntake(1_000_000)
    const { refused, stall } = flood(intake)
    for (let at = 0; at < 8; at += 1) stall(String(at), undefined)
    await expect(intake(whole(), undefined, size)).rejects.toMatchObject({ why: 'busy' })
    await new Promise((resolve) => setTimeout(resolve, 2_010))
    expect(await intake(whole(), undefined, size)).toBe(1)
    expect(refused).toEqual(['0 busy'])
  })

  it('a report whose signature is being verified keeps its place', async () => {
    const intake = createIntake(1_000_000)
    let end: () => void = () => undefined
    const verified = new Promise<void>((resolve) => {
      end = resolve
    })
    const verifying = Array.from({ length: 8 }, () => intake(whole(), '203.0.113.7', () => verified))
    await settled()
    await expect(intake(whole(), '203.0.113.8', size)).rejects.toMatchObject({ why: 'busy' })
    end()
    await Promise.all(verifying)
    expect(await intake(whole(), '203.0.113.8', size)).toBe(1)
  })
})
