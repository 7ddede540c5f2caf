import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Principal } from 'latchkey'
import type { Verifier } from 'latchkey/jwt'
import { describe, expect, it } from 'vitest'
import { codeOf, pause, principalOf, until } from '../../latchkey/harness.js'
import { createGateway } from './support.js'

function collect(): void {
  setFlagsFromString('--expose-gc')
  const gc: unknown = runInNewContext('gc')
  if (typeof gc === 'function') gc()
}

/** A parent token, a signed token for it, and a service that verifies such tokens with or without following the parent. */
async function world(strict: boolean) {
  const { tokens, signed, service, create } = await createGateway()
  const { token, record } = await create()
  return { tokens, record, text: await signed(token), verifier: service(strict ? { strict: tokens } : {}) }
}

/** Reads the signals of many requests whose end is never reported. Returns a function that counts the signals still in memory. */
async function abandoned(verifier: Verifier, text: string, use: (principal: Principal) => unknown): Promise<() => Promise<number>> {
  const signals: WeakRef<AbortSignal>[] = []
  for (let made = 0; made < 50; made += 1) {
    const principal = await principalOf(verifier.verify(text))
    use(principal)
    signals.push(new WeakRef(principal.signal))
  }
  return async () => {
    // An object that was read through a WeakRef is kept until the current turn of the event loop ends.
    await pause(1)
    collect()
    await pause(1)
    return signals.filter((signal) => signal.deref() !== undefined).length
  }
}

describe.each([
  ['that follows its parent', true],
  ['on its own', false],
] as const)('the signal of a signed token %s', (_which, strict) => {
  it('the signal of a signed token is dropped when nothing references or listens to it', async () => {
    const { verifier, text } = await world(strict)
    const left = await abandoned(verifier, text, () => undefined)
    await until(async () => (await left()) < 5)
  })

  it('the signal of a signed token is dropped once its last listener is removed', async () => {
    const { verifier, text } = await world(strict)
    const listen = (): void => undefined
    const left = await abandoned(verifier, text, ({ signal }) => {
      signal.addEventListener('abort', listen)
      signal.removeEventListener('abort', listen)
      signal.addEventListener('abort', listen, { signal: AbortSignal.abort() })
    })
    await until(async () => (await left()) < 5)
  })
})

describe('the signal of a signed token with a listener', () => {
  it('the signal of a signed token with a listener fires with its parent, even if nothing references it', async () => {
    const { tokens, record, verifier, text } = await world(true)
    const reasons: string[] = []
    const left = await abandoned(verifier, text, ({ signal }) => {
      signal.addEventListener('abort', () => void reasons.push(codeOf(signal.reason)))
    })
    for (let round = 0; round < 3; round += 1) expect(await left()).toBe(50)
    await tokens.system.revoke(record.id)
    await until(() => reasons.length === 50)
    expect(new Set(reasons)).toEqual(new Set(['token_revoked']))
    await until(async () => (await left()) < 5)
  })

  it('the signal of a signed token with a listener fires at its expiry, even if nothing references it', async () => {
    let now = Math.ceil(Date.now() / 1000) * 1000
    const { signed, service, create } = await createGateway({ clock: () => now, expiresIn: 2 })
    const text = await signed((await create()).token)
    now += 1900
    let fired = 0
    const left = await abandoned(service(), text, ({ signal }) => signal.addEventListener('abort', () => (fired += 1)))
    expect(await left()).toBe(50)
    now += 2000
    await until(() => fired === 50)
  })
})

it('fires the signal of a signed token soon after the wall clock of its service jumps past the expiry', async () => {
  let skew = 0
  const { signed, service, create } = await createGateway({ clock: () => Date.now() + skew })
  const text = await signed((await create()).token)
  const { signal } = await principalOf(service().verify(text))
  signal.addEventListener('abort', () => undefined)
  skew = 200_000
  await pause(1100)
  expect(signal.aborted).toBe(false)
  skew = 301_000
  await until(() => signal.aborted)
})
