import { describe, expect, it, onTestFinished } from 'vitest'
import { createIntake, type Intake } from '../../../src/extensions/leaks/intake.js'

it('a report body that does not arrive in time is canceled', async () => {
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

it('a report body whose declared length is small is read only up to the limit for small bodies', async () => {
  const request = new Request('https://api.example/leaks', {
    method: 'POST',
    body: 'x'.repeat(100_000),
    headers: { 'content-length': '10' },
  })
  await expect(createIntake(1_000_000)(request, undefined, async () => 'read')).rejects.toThrow('the body is too large')
})

it('reads at most 1,000 small endless report bodies at a time, and stops the oldest for each additional body', async () => {
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
  const post = (body: string | ReadableStream<Uint8Array>) =>
    new Request('https://api.example/leaks', { method: 'POST', body, duplex: 'half' } as RequestInit)

  /** Sends reports that do not end, and lists the reports that were not read. */
  function flood(intake: Intake) {
    const refused: string[] = []
    const open: ReadableStreamDefaultController<Uint8Array>[] = []
    onTestFinished(() => {
      for (const controller of open) controller.error(new Error('the test is over'))
    })
    const stall = (name: string, ip: string | undefined, bytes: number): void => {
      const start = (controller: ReadableStreamDefaultController<Uint8Array>): void => {
        controller.enqueue(new Uint8Array(bytes))
        open.push(controller)
      }
      const body = new ReadableStream<Uint8Array>({ start })
      void intake(post(body), ip, async () => 'read').catch(({ why }) => refused.push(`${name} ${why}`))
    }
    return { refused, stall }
  }
  const whole = () => post('x')
  const size = async (bytes: Uint8Array) => bytes.length

  /** A report that arrives in two parts. `finish` sends the second part. */
  function halved(intake: Intake, ip: string) {
    let finish: () => void = () => undefined
    const body = new ReadableStream<Uint8Array>({
      start: (controller) => {
        controller.enqueue(new Uint8Array(500))
        finish = () => {
          controller.enqueue(new Uint8Array(500))
          controller.close()
        }
      },
    })
    const read = intake(post(body), ip, size)
    read.catch(() => undefined)
    return { read, finish: () => finish() }
  }

  it.each([
    ['address', () => '203.0.113.7', '203.0.113.8'],
    ['IPv6 site', (at: number) => `2001:db8:1:${at}::1`, '2001:db8:2::1'],
  ])('a report displaces another report from the %s that uses the most memory', async (_, ipOf, other) => {
    const intake = createIntake(1000)
    const { refused, stall } = flood(intake)
    for (let at = 0; at < 9; at += 1) stall(String(at), ipOf(at), 1000)
    await settled()
    expect(refused).toEqual(['0 busy'])
    expect(await intake(whole(), other, size)).toBe(1)
    expect(refused).toEqual(['0 busy', '1 busy'])
  })

  it('reports in memory total at most the size of eight of the largest reports, and number at most 1,000', async () => {
    const intake = createIntake(1000)
    const { refused, stall } = flood(intake)
    for (let at = 0; at < 1_010; at += 1) stall(String(at), undefined, at % 2 === 0 ? 1 : 100)
    await settled()
    expect(refused).toHaveLength(1_010 - 158)
  })

  it('a flood of reports from one address leaves memory for reports from other addresses', async () => {
    const intake = createIntake(1000)
    const { refused, stall } = flood(intake)
    for (let at = 0; at < 4; at += 1) stall(`scanner ${at}`, '203.0.113.8', 1000)
    for (let at = 0; at < 20; at += 1) stall(`stranger ${at}`, '203.0.113.7', 1000)
    await settled()
    expect(refused.sort()).toEqual(Array.from({ length: 16 }, (_, at) => `stranger ${at} busy`).sort())
  })

  it.each([
    ['one byte each', 1],
    ['many bytes each', 900],
  ])('thousands of reports from nine addresses with %s do not keep out a report from another address', async (_, bytes) => {
    const intake = createIntake(10_000)
    const { stall } = flood(intake)
    const sendMany = (): void => {
      for (let at = 0; at < 3_000; at += 1) stall(String(at), `203.0.${at % 9}.7`, bytes)
    }
    const first = halved(intake, '198.51.100.9')
    sendMany()
    await settled()
    const second = halved(intake, '198.51.100.9')
    sendMany()
    await settled()
    for (const { finish } of [first, second]) finish()
    expect(await Promise.all([first.read, second.read])).toEqual([1000, 1000])
  })

  it('memory is freed once a report has been read, refused or stopped', async () => {
    const intake = createIntake(1000)
    for (let at = 0; at < 20; at += 1) expect(await intake(post('x'.repeat(1000)), undefined, size)).toBe(1000)
    for (let at = 0; at < 20; at += 1) await expect(intake(post('x'.repeat(1001)), undefined, size)).rejects.toThrow('too large')
    const { refused, stall } = flood(intake)
    for (let at = 0; at < 40; at += 1) stall(String(at), undefined, 1000)
    await settled()
    expect(refused).toHaveLength(32)
  })

  it('a report is not dropped in favor of other reports while its signature is being verified', async () => {
    const intake = createIntake(1000)
    let end: () => void = () => undefined
    const verified = new Promise<void>((resolve) => {
      end = resolve
    })
    const verifying = Array.from({ length: 8 }, () => intake(post('x'.repeat(1000)), '203.0.113.7', () => verified))
    await settled()
    await expect(intake(whole(), '203.0.113.8', size)).rejects.toMatchObject({ why: 'busy' })
    end()
    await Promise.all(verifying)
    expect(await intake(whole(), '203.0.113.8', size)).toBe(1)
  })
})
